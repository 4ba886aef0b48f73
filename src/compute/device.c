#include "compute/device.h"

#include "compute/tuning.h"
#include <stdio.h>
#include <string.h>

void maxgl_device_info_free(MaxglDeviceInfo *info)
{
    if (!info)
        return;
    g_free(info->platform_name);
    g_free(info->platform_version);
    g_free(info->name);
    g_free(info->driver_version);
    g_free(info->opencl_version);
    g_free(info->architecture);
    g_free(info->matrix_units);
    g_free(info);
}

const char *maxgl_device_type_name(MaxglDeviceType type)
{
    static const char *const names[] = {"CPU", "GPU", "accelerator"};
    return names[type];
}

const char *maxgl_vendor_name(MaxglVendor vendor)
{
    static const char *const names[] = {"other", "nvidia", "amd",   "intel",
                                        "pocl",  "mesa",   "apple", "oclgrind"};
    return names[vendor];
}

static char *platform_string(cl_platform_id platform, cl_platform_info what)
{
    size_t size = 0;
    if (clGetPlatformInfo(platform, what, 0, NULL, &size) != CL_SUCCESS || size == 0)
        return g_strdup("");
    char *text = g_malloc0(size + 1);
    clGetPlatformInfo(platform, what, size, text, NULL);
    return g_strstrip(text);
}

static char *device_string(cl_device_id device, cl_device_info what)
{
    size_t size = 0;
    if (clGetDeviceInfo(device, what, 0, NULL, &size) != CL_SUCCESS || size == 0)
        return g_strdup("");
    char *text = g_malloc0(size + 1);
    clGetDeviceInfo(device, what, size, text, NULL);
    return g_strstrip(text);
}

static guint64 device_number(cl_device_id device, cl_device_info what)
{
    guint64 value = 0; /* OpenCL writes 4 or 8 bytes; every host it runs on is little-endian */
    clGetDeviceInfo(device, what, sizeof value, &value, NULL);
    return value;
}

static gboolean contains(const char *text, const char *part)
{
    g_autofree char *a = g_ascii_strdown(text, -1), *b = g_ascii_strdown(part, -1);
    return strstr(a, b) != NULL;
}

static MaxglVendor vendor_of(const char *platform)
{
    static const struct {
        const char *part;
        MaxglVendor vendor;
    } known[] = {
        {"oclgrind", MAXGL_VENDOR_OCLGRIND},  {"portable computing", MAXGL_VENDOR_POCL},
        {"rusticl", MAXGL_VENDOR_MESA},       {"clover", MAXGL_VENDOR_MESA},
        {"nvidia", MAXGL_VENDOR_NVIDIA},      {"amd", MAXGL_VENDOR_AMD},
        {"advanced micro", MAXGL_VENDOR_AMD}, {"intel", MAXGL_VENDOR_INTEL},
        {"apple", MAXGL_VENDOR_APPLE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (contains(platform, known[i].part))
            return known[i].vendor;
    return MAXGL_VENDOR_OTHER;
}

/* cl_nv_device_attribute_query, cl_intel_required_subgroup_size and cl_intel_device_attribute_query. */
enum {
    NV_CAPABILITY_MAJOR = 0x4000,
    NV_CAPABILITY_MINOR = 0x4001,
    INTEL_SUB_GROUP_SIZES = 0x4108,
    INTEL_IP_VERSION = 0x4250
};

/* Version 12 is of several makes, told apart by the release. */
static const char *intel_generation_12(guint release)
{
    return release < 50   ? "xe-lp"
           : release < 55 ? "xe-hp"
           : release < 60 ? "xe-hpg"
           : release < 70 ? "xe-hpc"
                          : "xe-lpg";
}

char *maxgl_intel_architecture(guint32 ip_version, gsize least_sub_group, const char *extensions)
{
    const guint architecture = ip_version >> 22, release = ip_version >> 14 & 0xff;
    if (architecture == 12)
        return g_strdup(intel_generation_12(release));
    if (architecture >= 20)
        return g_strdup_printf("xe%u", architecture / 10);
    if (architecture >= 8)
        return g_strdup_printf("gen%u", architecture);
    if (strstr(extensions, "cl_intel_subgroup_matrix_multiply_accumulate"))
        return g_strdup(least_sub_group >= 16 ? "xe-hpc" : "xe-hpg");
    return g_strdup(strstr(extensions, "cl_khr_fp64") ? "gen9" : "xe-lp");
}

gsize maxgl_intel_least_sub_group(cl_device_id device)
{
    size_t sizes[8], bytes = 0, least = 0;
    if (clGetDeviceInfo(device, INTEL_SUB_GROUP_SIZES, sizeof sizes, sizes, &bytes) != CL_SUCCESS)
        return 0;
    for (gsize i = 0; i < bytes / sizeof *sizes; i++)
        least = i == 0 ? sizes[i] : MIN(least, sizes[i]);
    return least;
}

static char *architecture_of_intel(cl_device_id device, const char *extensions)
{
    const gboolean says = strstr(extensions, "cl_intel_device_attribute_query") != NULL;
    return maxgl_intel_architecture(says ? (guint32)device_number(device, INTEL_IP_VERSION) : 0,
                                    maxgl_intel_least_sub_group(device), extensions);
}

static char *architecture_of(cl_device_id device, const MaxglDeviceInfo *info, const char *extensions)
{
    if (info->type == MAXGL_DEVICE_CPU) {
        if (info->float_vector_width >= 16 || contains(info->name, "avx512"))
            return g_strdup("avx512");
        if (info->float_vector_width == 8)
            return g_strdup("avx2");
        return g_strdup("unknown");
    }
    if (strstr(extensions, "cl_nv_device_attribute_query"))
        return g_strdup_printf("sm_%d%d", (int)device_number(device, NV_CAPABILITY_MAJOR),
                               (int)device_number(device, NV_CAPABILITY_MINOR));
    if (info->vendor == MAXGL_VENDOR_AMD && g_str_has_prefix(info->name, "gfx"))
        return g_strndup(info->name, strcspn(info->name, ":"));
    if (info->vendor == MAXGL_VENDOR_INTEL)
        return architecture_of_intel(device, extensions);
    return g_strdup("unknown");
}

static char *matrix_units_of(const MaxglDeviceInfo *info, const char *extensions)
{
    if (info->vendor == MAXGL_VENDOR_NVIDIA && g_str_has_prefix(info->architecture, "sm_") &&
        g_ascii_strtoull(info->architecture + 3, NULL, 10) >= 70)
        return g_strdup("PTX mma");
    if (info->vendor == MAXGL_VENDOR_AMD) {
        static const char *const mfma[] = {"gfx908", "gfx90a", "gfx940", "gfx941", "gfx942", "gfx950"};
        for (gsize i = 0; i < G_N_ELEMENTS(mfma); i++)
            if (g_str_equal(info->architecture, mfma[i]))
                return g_strdup("MFMA");
        if (g_str_has_prefix(info->architecture, "gfx11") || g_str_has_prefix(info->architecture, "gfx12"))
            return g_strdup("WMMA");
    }
    if (strstr(extensions, "cl_intel_subgroup_matrix_multiply_accumulate"))
        return g_strdup("Intel matrix_mad");
    return NULL;
}

gboolean maxgl_device_doubles_local(const MaxglDeviceInfo *info)
{
    return g_str_equal(info->platform_name, "rusticl") && g_str_has_prefix(info->driver_version, "22.");
}

static MaxglDeviceInfo *describe(cl_platform_id platform, int p, cl_device_id device, int d)
{
    MaxglDeviceInfo *info = g_new0(MaxglDeviceInfo, 1);
    g_autofree char *extensions = device_string(device, CL_DEVICE_EXTENSIONS);
    guint64 type = device_number(device, CL_DEVICE_TYPE);

    info->platform_index = p;
    info->device_index = d;
    info->platform_name = platform_string(platform, CL_PLATFORM_NAME);
    info->platform_version = platform_string(platform, CL_PLATFORM_VERSION);
    info->name = device_string(device, CL_DEVICE_NAME);
    info->driver_version = device_string(device, CL_DRIVER_VERSION);
    info->opencl_version = device_string(device, CL_DEVICE_VERSION);
    info->vendor = vendor_of(info->platform_name);
    /* Oclgrind claims to be every type at once; it is an interpreter on the CPU. */
    if (info->vendor == MAXGL_VENDOR_OCLGRIND || !(type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR)))
        info->type = MAXGL_DEVICE_CPU;
    else
        info->type = type & CL_DEVICE_TYPE_GPU ? MAXGL_DEVICE_GPU : MAXGL_DEVICE_ACCELERATOR;
    info->global_memory = device_number(device, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_allocation = device_number(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->local_memory =
        device_number(device, CL_DEVICE_LOCAL_MEM_SIZE) / (maxgl_device_doubles_local(info) ? 2 : 1);
    info->local_memory_is_real = device_number(device, CL_DEVICE_LOCAL_MEM_TYPE) == CL_LOCAL;
    info->compute_units = (guint)device_number(device, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->clock_mhz = (guint)device_number(device, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    info->max_work_group = device_number(device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    info->base_align = MAX((guint)device_number(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8, 64);
    info->float_vector_width = (guint)device_number(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    info->fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
    info->fp64 = strstr(extensions, "cl_khr_fp64") != NULL;
    info->subgroups = strstr(extensions, "subgroups") != NULL;
    info->block_reads = strstr(extensions, "cl_intel_subgroup_2d_block_io") != NULL;
    info->architecture = architecture_of(device, info, extensions);
    info->matrix_units = matrix_units_of(info, extensions);
    return info;
}

static cl_platform_id *platforms(cl_uint *count, GError **error)
{
    cl_int code = clGetPlatformIDs(0, NULL, count);
    if (code != CL_SUCCESS || *count == 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_DEVICE,
                    "no OpenCL platform found: install a driver (CPU: pocl-opencl-icd; AMD and Intel GPUs: "
                    "mesa-opencl-icd or the vendor's; Intel: intel-opencl-icd; NVIDIA: nvidia-opencl-icd); "
                    "clinfo -l shows what the loader sees");
        return NULL;
    }
    cl_platform_id *ids = g_new0(cl_platform_id, *count);
    clGetPlatformIDs(*count, ids, NULL);
    return ids;
}

static cl_device_id *devices_of(cl_platform_id platform, cl_uint *count)
{
    *count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, count) != CL_SUCCESS || *count == 0)
        return NULL;
    cl_device_id *ids = g_new0(cl_device_id, *count);
    clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, *count, ids, NULL);
    return ids;
}

GPtrArray *maxgl_device_list(GError **error)
{
    cl_uint n_platforms = 0;
    g_autofree cl_platform_id *ids = platforms(&n_platforms, error);
    if (!ids)
        return NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_device_info_free);
    for (cl_uint p = 0; p < n_platforms; p++) {
        cl_uint n_devices = 0;
        g_autofree cl_device_id *devices = devices_of(ids[p], &n_devices);
        for (cl_uint d = 0; d < n_devices; d++)
            g_ptr_array_add(list, describe(ids[p], (int)p, devices[d], (int)d));
    }
    if (list->len == 0) {
        g_set_error(
            error, MAXGL_ERROR, MAXGL_ERROR_DEVICE,
            "%u OpenCL platform(s) but no device: the driver sees no hardware it can use (permissions of "
            "/dev/dri or /dev/nvidia*?); pocl-opencl-icd makes the CPU a device",
            n_platforms);
        return NULL;
    }
    return g_steal_pointer(&list);
}

cl_device_id maxgl_device_handle(const MaxglDeviceInfo *info, cl_platform_id *platform, GError **error)
{
    cl_uint n_platforms = 0, n_devices = 0;
    g_autofree cl_platform_id *ids = platforms(&n_platforms, error);
    if (!ids)
        return NULL;
    if (info->platform_index < (int)n_platforms) {
        *platform = ids[info->platform_index];
        g_autofree cl_device_id *devices = devices_of(*platform, &n_devices);
        if (info->device_index < (int)n_devices)
            return devices[info->device_index];
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_DEVICE, "%s: the device has gone", info->name);
    return NULL;
}

/* As equal as can be: the first ones get what is left over. */
static gboolean create_parts(cl_device_id device, guint units, guint parts, cl_device_id *handles,
                             cl_int *code)
{
    g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(cl_device_partition_property));
    cl_device_partition_property value = CL_DEVICE_PARTITION_BY_COUNTS;
    g_array_append_val(counts, value);
    for (guint i = 0; i < parts; i++) {
        value = units / parts + (i < units % parts);
        g_array_append_val(counts, value);
    }
    value = CL_DEVICE_PARTITION_BY_COUNTS_LIST_END;
    g_array_append_val(counts, value);
    value = 0;
    g_array_append_val(counts, value);
    cl_uint made = 0;
    *code =
        clCreateSubDevices(device, (const cl_device_partition_property *)counts->data, parts, handles, &made);
    return *code == CL_SUCCESS && made == parts;
}

gboolean maxgl_device_cut(const MaxglDeviceInfo *info, guint parts, cl_device_id *handles,
                          MaxglDeviceInfo **infos, GError **error)
{
    cl_platform_id platform;
    cl_int code = CL_INVALID_DEVICE_PARTITION_COUNT;
    cl_device_id device = maxgl_device_handle(info, &platform, error);
    if (!device)
        return FALSE;
    if (parts < 1 || parts > info->compute_units ||
        !create_parts(device, info->compute_units, parts, handles, &code)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_DEVICE,
                    "%s: cannot be cut into %u parts (%s); it has %u compute units", info->name, parts,
                    maxgl_opencl_error_name(code), info->compute_units);
        return FALSE;
    }
    for (guint i = 0; i < parts; i++)
        infos[i] = describe(platform, info->platform_index, handles[i], info->device_index);
    return TRUE;
}

gboolean maxgl_device_is_tuned(const MaxglDeviceInfo *info)
{
    g_autoptr(MaxglTuning) tuning = maxgl_tuning_load(info, NULL);
    return tuning && maxgl_tuning_knows_architecture(tuning);
}

static const MaxglDeviceInfo *device_at(GPtrArray *devices, guint i)
{
    return g_ptr_array_index(devices, i);
}

/* GPUs above accelerators above CPUs; among equals the one that can do more per cycle; Oclgrind last of all.
 */
static double rank(const MaxglDeviceInfo *info)
{
    static const double type_rank[] = {0, 2e12, 1e12};
    if (info->vendor == MAXGL_VENDOR_OCLGRIND)
        return -1;
    double lanes = info->type == MAXGL_DEVICE_GPU ? 64 : MAX(info->float_vector_width, 1);
    return type_rank[info->type] + lanes * info->compute_units * MAX(info->clock_mhz, 1);
}

static int best(GPtrArray *devices, int type)
{
    int found = -1;
    for (guint i = 0; i < devices->len; i++) {
        if (type >= 0 && (int)device_at(devices, i)->type != type)
            continue;
        if (found < 0 || rank(device_at(devices, i)) > rank(device_at(devices, (guint)found)))
            found = (int)i;
    }
    return found;
}

static char *all_names(GPtrArray *devices)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < devices->len; i++) {
        const MaxglDeviceInfo *d = device_at(devices, i);
        g_string_append_printf(text, "%s%d:%d %s (%s)", i ? ", " : "", d->platform_index, d->device_index,
                               d->name, maxgl_device_type_name(d->type));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static int no_such_device(GPtrArray *devices, const char *selector, GError **error)
{
    g_autofree char *names = all_names(devices);
    if (strchr(selector, ',') || strchr(selector, '/')) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "\"%s\" means several devices, and only training works on more than one: name one; "
                    "there is: %s",
                    selector, names);
        return -1;
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "no OpenCL device matches \"%s\"; there is: %s",
                selector, names);
    return -1;
}

static int choose_by_index(GPtrArray *devices, const char *selector, int p, int d, GError **error)
{
    for (guint i = 0; i < devices->len; i++)
        if (device_at(devices, i)->platform_index == p && device_at(devices, i)->device_index == d)
            return (int)i;
    return no_such_device(devices, selector, error);
}

static int choose_by_name(GPtrArray *devices, const char *selector, GError **error)
{
    int found = -1;
    for (guint i = 0; i < devices->len; i++) {
        const MaxglDeviceInfo *d = device_at(devices, i);
        if (!contains(d->name, selector) && !contains(d->platform_name, selector))
            continue;
        if (found >= 0) {
            g_autofree char *names = all_names(devices);
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "\"%s\" matches more than one OpenCL device, give P:D; there is: %s", selector,
                        names);
            return -1;
        }
        found = (int)i;
    }
    return found >= 0 ? found : no_such_device(devices, selector, error);
}

static char *auto_reason(GPtrArray *devices, int chosen)
{
    const MaxglDeviceInfo *info = device_at(devices, (guint)chosen);
    int alike = 0;
    for (guint i = 0; i < devices->len; i++)
        alike += device_at(devices, i)->type == info->type;
    const char *type = maxgl_device_type_name(info->type);
    if (devices->len == 1)
        return g_strdup("the only device");
    if (alike == 1)
        return g_strdup_printf("the only %s%s", type,
                               info->type == MAXGL_DEVICE_CPU ? ", and there is no GPU" : "");
    return g_strdup_printf("the %s with the most compute (units × clock × lanes) of %d", type, alike);
}

int maxgl_device_choose(GPtrArray *devices, const char *selector, char **reason, GError **error)
{
    const char *environment = g_getenv("MAXGL_DEVICE");
    const char *from = "";
    if (!selector && environment && *environment) {
        selector = environment;
        from = " (MAXGL_DEVICE)";
    }
    if (!selector || !*selector)
        selector = "auto";

    g_autofree char *why = NULL;
    int chosen = -1, p = 0, d = 0, used = 0;
    if (!g_ascii_strcasecmp(selector, "auto")) {
        chosen = best(devices, -1);
        why = auto_reason(devices, chosen);
    } else if (!g_ascii_strcasecmp(selector, "cpu") || !g_ascii_strcasecmp(selector, "gpu")) {
        chosen = best(devices, g_ascii_tolower(*selector) == 'c' ? MAXGL_DEVICE_CPU : MAXGL_DEVICE_GPU);
        if (chosen < 0)
            return no_such_device(devices, selector, error);
        why = g_strdup_printf("asked for: %s%s", selector, from);
    } else {
        if (sscanf(selector, "%d:%d%n", &p, &d, &used) == 2 && selector[used] == '\0')
            chosen = choose_by_index(devices, selector, p, d, error);
        else
            chosen = choose_by_name(devices, selector, error);
        why = g_strdup_printf("asked for: %s%s", selector, from);
    }
    if (chosen >= 0 && reason)
        *reason = g_steal_pointer(&why);
    return chosen;
}
