import { describe, expect, it } from 'vitest';
import { causeInLog } from './engine-cause.js';

/** As node-llama-cpp 3.22.1 (CUDA) wrote it on an H100 with driver 580: the engine was healthy until it was to decode. */
const newerThanDriver = `{"level":"info","msg":"model loaded","model":"/models/demo.gguf","gpu":"cuda","slots":4,"slot_context":2048}
llama.cpp/ggml/src/ggml-cuda/ggml-cuda.cu:108: CUDA error
{"level":"error","msg":"CUDA error: the provided PTX was compiled with an unsupported toolchain.","source":"llama.cpp"}
{"level":"error","msg":"current device: 0, in function ggml_cuda_kernel_can_use_pdl at ggml-cuda/common.cuh:1679","source":"llama.cpp"}
libggml-base.so(ggml_abort+0x152)[0x7f77d014df42]`;

describe('the cause in the log of an engine', () => {
  it('tells an old driver from a broken one', () => {
    const cause = causeInLog(newerThanDriver);
    expect(cause?.meaning).toContain('newer than the NVIDIA driver');
    expect(cause?.isOfTheBuild).toBe(true);
    const broken = causeInLog('CUDA error: an illegal memory access was encountered');
    expect(broken?.meaning).toContain('driver failed');
    expect(broken?.isOfTheBuild).toBe(false);
  });

  it('tells the memory of the GPU from that of the machine', () => {
    const gpu = causeInLog('ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory');
    expect(gpu?.meaning).toContain('of the GPU');
    const machine = causeInLog("terminate called after throwing an instance of 'std::bad_alloc'");
    expect(machine?.meaning).toContain('of this machine');
  });

  it('makes nothing up', () => {
    expect(causeInLog('main: server is listening on http://127.0.0.1:8080')).toBeNull();
    expect(causeInLog('')).toBeNull();
  });
});
