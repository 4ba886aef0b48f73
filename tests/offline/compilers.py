"""Vendors' compilers for kernels, on any machine: what they make of a program for a target.

compile(source, options, target) → {kernel: Report as a dictionary}; CompileError with what the compiler says.
"""
import functools
import os
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

CLC = Path("/usr/lib/clc")
SMOKE = "kernel void k(global float *a) { *a = fma(*a, *a, *a); }"


class CompileError(Exception):
    pass


def run(arguments, **more):
    """Output of a command, both streams; CompileError if it fails."""
    done = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **more)
    if done.returncode != 0:
        raise CompileError("\n".join(done.stdout.splitlines()[:12]))
    return done.stdout


def first_line(arguments, pattern):
    match = re.search(pattern, run(arguments))
    return match.group(0) if match else "unknown version"


def several(variable, *usual):
    """Programs to try in turn: what is usual, then $@variable (several with a colon)."""
    names = [*usual, *os.environ.get(variable, "").split(":")]
    return [n for n in names if n and os.access(n, os.X_OK)]


@functools.lru_cache
def find_clang(builtins, *target):
    """(clang, its libclc's file @builtins) that make code for @target, or None: the newest one installed that does, else
    $MAXGL_CLANG with the folder $MAXGL_LIBCLC. They come in pairs of one version."""
    installed = [shutil.which(f"clang-{version}") for version in range(25, 18, -1)]
    pairs = [(name, CLC / builtins) for name in installed if name]
    pairs += [(name, Path(os.environ.get("MAXGL_LIBCLC", CLC)) / builtins) for name in several("MAXGL_CLANG")]
    for name, file in pairs:
        try:
            run([name, "-x", "cl", *target, "-Xclang", "-finclude-default-header", "-Xclang", "-mlink-bitcode-file", "-Xclang",
                 file, "-S", "-", "-o", os.devnull], input=SMOKE)
            return name, file
        except CompileError:
            continue
    return None


def clang(name, builtins, target, source, options, folder, *more):
    """Compiles @source to assembly; returns it and what the compiler said."""
    (folder / "k.cl").write_text(source)
    said = run([name, "-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-Xclang", "-cl-ext=+cl_khr_fp16",
                "-O3", "-Wno-linker-warnings", *target, "-Xclang", "-mlink-bitcode-file", "-Xclang", builtins,
                *options, folder / "k.cl", "-S", "-o", folder / "k.s", *more])
    return (folder / "k.s").read_text(), said


def function_texts(assembly, begin, end):
    """{function: its text} of assembly in which @begin (a pattern with the name) starts one and @end ends it."""
    texts, name = {}, None
    for line in assembly.splitlines():
        started = re.match(begin, line)
        if started:
            name = started.group(1)
            texts[name] = []
        elif name and re.match(end, line):
            name = None
        elif name:
            texts[name].append(line)
    return {k: "\n".join(v) for k, v in texts.items()}


class Amd:
    """clang's AMDGPU back end, which ROCm's OpenCL is made of."""
    name = "amd"
    install = "apt-get install clang-19 libclc-19; gfx950: clang 20 or newer, or MAXGL_CLANG and MAXGL_LIBCLC"
    matrix = re.compile(r"^\s+(v_s?w?mf?mac?_\w+|v_wmma_\w+|v_mfma_\w+)", re.M)

    @staticmethod
    def options(target):
        return "-target", "amdgcn-amd-amdhsa", f"-mcpu={target}", "-nogpulib"

    def clang(self, target):
        return find_clang("amdgcn--amdhsa.bc", *self.options(target))

    def available(self):
        return self.clang("gfx90a") is not None

    def knows(self, target):
        return self.clang(target) is not None

    def version(self, target):
        return first_line([self.clang(target)[0], "--version"], r"clang version [\d.]+")

    def compile(self, source, options, target, folder):
        text, said = clang(*self.clang(target), self.options(target), source, options, folder,
                           "-Rpass-analysis=kernel-resource-usage")
        bodies = function_texts(text, r"^(\w+):\s*; @", r"^\.Lfunc_end")
        reports = {}
        for part in said.split("Function Name: ")[1:]:
            kernel = part.split()[0]
            value = {k.strip(): int(v) for k, v in re.findall(r"remark:[^\n]*?\s([A-Z][\w \[\]/]+): (\d+)", part)}
            reports[kernel] = {"registers": value["VGPRs"] + value.get("AGPRs", 0), "scalars": value.get("TotalSGPRs", value.get("SGPRs", 0)),
                               "spilled": value["ScratchSize [bytes/lane]"], "local": value["LDS Size [bytes/block]"],
                               "waves": value["Occupancy [waves/SIMD]"],
                               "matrix": len(self.matrix.findall(bodies.get(kernel, "")))}
        return reports


class Nvidia:
    """clang's NVPTX back end and ptxas of the CUDA toolkit; NVIDIA's driver has a front end of its own."""
    name = "nvidia"
    install = "apt-get install clang-19 libclc-19; ptxas: the CUDA toolkit (for sm_70 one before 13), or MAXGL_PTXAS"

    def __init__(self):
        self.clang = find_clang("nvptx64--nvidiacl.bc", "-target", "nvptx64-nvidia-nvcl")

    def assemblers(self):
        return several("MAXGL_PTXAS", shutil.which("ptxas"), "/usr/local/cuda/bin/ptxas")

    def available(self):
        return self.clang is not None and bool(self.assemblers())

    @functools.lru_cache
    def assembler(self, target):
        for name in self.assemblers():
            if re.search(rf"'{target}'", run([name, "--help"])):
                return name
        return None

    def knows(self, target):
        return self.assembler(target) is not None

    def version(self, target):
        return first_line([self.clang[0], "--version"], r"clang version [\d.]+") + ", ptxas " + \
            first_line([self.assembler(target), "--version"], r"V\d+\.\d+\.\d+")[1:]

    def compile(self, source, options, target, folder):
        number = int(re.sub(r"\D", "", target))
        limit = [f"-maxrregcount={o.split('=')[1]}" for o in options if o.startswith("-cl-nv-maxrregcount=")]
        options = [o for o in options if not o.startswith("-cl-nv-")]
        ptx, _ = clang(*self.clang, ["-target", "nvptx64-nvidia-nvcl", "-Xclang", "-target-cpu", "-Xclang",
                                                   f"sm_{min(number, 90)}", "-Xclang", "-target-feature", "-Xclang", "+ptx78"],
                       source, options, folder)
        said = run([self.assembler(target), "-v", *limit, f"-arch={target}", folder / "k.s", "-o", folder / "k.cubin"])
        bodies = function_texts(ptx, r"^\s*(?:\.visible )?\.entry (\w+)\(", r"^}")
        reports = {}
        for part in said.split("Compiling entry function '")[1:]:
            kernel = part.split("'")[0]
            value = lambda what: int((re.search(rf"(\d+) {what}", part) or [0, 0])[1])
            reports[kernel] = {"registers": value("registers"), "spilled": value("bytes stack frame") + value("bytes spill stores"),
                               "local": value("bytes smem"),
                               "matrix": len(re.findall(r"mma\.sync\.aligned", bodies.get(kernel, "")))}
        return reports


class Intel:
    """ocloc, the off-line half of Intel's compute runtime."""
    name = "intel"
    install = "apt-get install intel-opencl-icd libigc-tools; Xe2: version 24 or newer, or MAXGL_OCLOC and MAXGL_IGA64"
    # What the disassembler calls a target.
    platforms = {"dg2-g10": "12p71", "pvc": "12p72", "bmg": "2"}

    def available(self):
        return bool(self.programs())

    @staticmethod
    def programs():
        """The newest last: it knows fewest of the old targets, and most of the new ones' instructions."""
        return several("MAXGL_OCLOC", shutil.which("ocloc"))

    @functools.lru_cache
    def ocloc(self, target):
        """The newest that makes code for @target."""
        for name in reversed(self.programs()):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    if self.compile_by(name, "kernel void k(global float *a) { *a = 1; }", [], target, Path(folder)):
                        return name
                except CompileError:
                    pass
        return None

    def knows(self, target):
        return self.ocloc(target) is not None

    @functools.lru_cache
    def version(self, target):
        try:
            return "ocloc " + re.search(r"^[\d.]+$", run([self.ocloc(target), "--version"]), re.M).group(0)
        except (CompileError, AttributeError):
            pass
        try:
            return "ocloc " + run(["dpkg-query", "-W", "-f", "${Version}", "intel-opencl-icd"])
        except (CompileError, FileNotFoundError):
            return "ocloc"

    def compile(self, source, options, target, folder):
        return self.compile_by(self.ocloc(target), source, options, target, folder)

    def compile_by(self, ocloc, source, options, target, folder):
        (folder / "k.cl").write_text(source)
        shutil.rmtree(folder / "out", ignore_errors=True)
        said = run([ocloc, "compile", "-file", folder / "k.cl", "-device", target, "--format", "zebin", "-options",
                    " ".join(["-cl-std=CL1.2", *options]), "-output", "k", "-out_dir", folder / "out"])
        binary = next((folder / "out").glob("*.bin"), None)
        if not binary:
            raise CompileError(said)
        info = re.search(rb"---\s*\nversion:.*?(?=\x00)", binary.read_bytes(), re.S)
        if not info:
            raise CompileError(f"no description of kernels in what ocloc wrote:\n{said}")
        reports = {}
        text = info.group(0).decode(errors="replace")
        wanted = "matrix_mad" in source
        for part in re.split(r"^  - name: +", text.split("kernels_misc_info")[0], flags=re.M)[1:]:
            kernel = part.split()[0]
            value = lambda what: int((re.search(rf"\b{what}: +(\d+)", part) or [0, 0])[1])
            memory = re.search(r"per_thread_memory_buffers:(.*)", part, re.S)
            reports[kernel] = {"registers": value("grf_count"), "simd": value("simd_size"), "local": value("slm_size"),
                               "spilled": sum(map(int, re.findall(r"\bsize: +(\d+)", memory.group(1)))) if memory else 0,
                               "matrix": 0}
        if wanted:
            self.count_matrix(binary, target, folder, reports)
        return reports

    def count_matrix(self, binary, target, folder, reports):
        """Counts dpas and reads of blocks in the disassembly, where iga64 is installed; else None stands for not counted."""
        sections = elf_sections(binary.read_bytes())
        programs = several("MAXGL_IGA64", shutil.which("iga64"))
        for kernel, report in reports.items():
            report["matrix"] = report["block_reads"] = None
            code = sections.get(f".text.{kernel}")
            if not programs or not code:
                continue
            (folder / "code").write_bytes(code)
            text = run([programs[-1], "-d", f"-p={self.platforms[target]}", folder / "code"])
            report["matrix"] = len(re.findall(r"\bdpasw?\b", text))
            report["block_reads"] = len(re.findall(r"\bload_block2d\b", text))


def elf_sections(data):
    """{name: bytes} of an ELF file with 64 bits, little end first."""
    start, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", data, start + i * size) for i in range(count)]
    table = data[headers[names][4]:headers[names][4] + headers[names][5]]
    return {table[h[0]:table.index(b"\0", h[0])].decode(): data[h[4]:h[4] + h[5]] for h in headers}


VENDORS = {v.name: v for v in (Amd, Nvidia, Intel)}
