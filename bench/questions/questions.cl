// What a driver's OpenCL compiler makes of PTX. One warp of 32 work-items each; questions.c compiles QUESTION by QUESTION, so
// that what one of them cannot do does not keep the others from being compiled.

#if defined(INLINE_PTX)
kernel void inline_ptx(global uint *out)
{
    uint lane;
    __asm__ volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
    out[get_local_id(0)] = lane;
}
#endif

#if defined(MMA_F16) || defined(MMA_BF16)
#ifdef MMA_F16
#define OPERANDS "f16.f16"
#else
#define OPERANDS "bf16.bf16"
#endif

// d = a·b. a is 16×K in rows, b K×8 in rows; 16-bit numbers two in a uint, the first in the lower half.
uint pair(global const ushort *p, int step)
{
    return (uint)p[0] | (uint)p[step] << 16;
}

kernel void mma(global const ushort *a, global const ushort *b, global float *d)
{
    const int group = (int)get_local_id(0) >> 2, t = (int)get_local_id(0) & 3;
    const uint a0 = pair(a + group * 16 + 2 * t, 1), a1 = pair(a + (group + 8) * 16 + 2 * t, 1);
    const uint a2 = pair(a + group * 16 + 2 * t + 8, 1), a3 = pair(a + (group + 8) * 16 + 2 * t + 8, 1);
    const uint b0 = pair(b + 2 * t * 8 + group, 8), b1 = pair(b + (2 * t + 8) * 8 + group, 8);
    float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
    __asm__ volatile("mma.sync.aligned.m16n8k16.row.col.f32." OPERANDS ".f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                     : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
    d[group * 8 + 2 * t] = d0;
    d[group * 8 + 2 * t + 1] = d1;
    d[(group + 8) * 8 + 2 * t] = d2;
    d[(group + 8) * 8 + 2 * t + 1] = d3;
}
#endif

#if defined(MMA_TF32)
// The same of 16×8 and 8×8 floats.
kernel void mma_tf32(global const uint *a, global const uint *b, global float *d)
{
    const int group = (int)get_local_id(0) >> 2, t = (int)get_local_id(0) & 3;
    const uint a0 = a[group * 8 + t], a1 = a[(group + 8) * 8 + t], a2 = a[group * 8 + t + 4], a3 = a[(group + 8) * 8 + t + 4];
    const uint b0 = b[t * 8 + group], b1 = b[(t + 4) * 8 + group];
    float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
    __asm__ volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                     : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
    d[group * 8 + 2 * t] = d0;
    d[group * 8 + 2 * t + 1] = d1;
    d[(group + 8) * 8 + 2 * t] = d2;
    d[(group + 8) * 8 + 2 * t + 1] = d3;
}
#endif

#if defined(LOCAL)
// How a pointer to local memory becomes an address that PTX's .shared instructions take.
uint shared_address(local const void *p)
{
#if LOCAL == 1
    return (uint)(size_t)p;
#else
    uint address;
    __asm__ volatile("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(address) : "l"(p));
    return address;
#endif
}

// Each work-item reads its neighbour's number.
kernel void load_shared(global uint *out)
{
    local uint numbers[32];
    const uint self = (uint)get_local_id(0);
    numbers[self] = 1000 + self;
    barrier(CLK_LOCAL_MEM_FENCE);
    uint value;
    __asm__ volatile("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(shared_address(&numbers[self ^ 1])) : "memory");
    out[self] = value;
}

// Four 8×8 matrices of the numbers 0 … 255.
kernel void ldmatrix(global uint *out)
{
    local ushort tile[256] __attribute__((aligned(16)));
    const uint self = (uint)get_local_id(0);
    for (uint i = 0; i < 8; i++)
        tile[self * 8 + i] = (ushort)(self * 8 + i);
    barrier(CLK_LOCAL_MEM_FENCE);
    uint r0, r1, r2, r3;
    __asm__ volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
                     : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3)
                     : "r"(shared_address(&tile[self * 8]))
                     : "memory");
    vstore4((uint4)(r0, r1, r2, r3), self, out);
}

// 16 bytes a work-item from global to local memory, beside the registers.
kernel void cp_async(global const uint *in, global uint *out)
{
    local uint numbers[128] __attribute__((aligned(16)));
    const uint self = (uint)get_local_id(0);
    __asm__ volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&numbers[self * 4])), "l"(in + self * 4)
                     : "memory");
    __asm__ volatile("cp.async.wait_all;" ::: "memory");
    barrier(CLK_LOCAL_MEM_FENCE);
    vstore4(vload4(self ^ 1, numbers), self, out);
}
#endif

#if defined(PLAIN)
kernel void plain(global uint *out)
{
    out[get_local_id(0)] = (uint)get_local_id(0) + 1;
}
#endif
