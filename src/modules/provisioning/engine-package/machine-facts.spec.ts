import { describe, expect, it } from 'vitest';
import { cudaRuntimeOf, llamaServerGpus, llamaServerVersion } from './machine-facts.js';

describe('reading what this machine says', () => {
  it('finds the newest CUDA runtime that comes with cuBLAS', () => {
    const line = (name: string) => `\t${name} (libc6,x86-64) => /usr/local/cuda/lib/${name}\n`;
    expect(cudaRuntimeOf(line('libcudart.so.13') + line('libcublas.so.13') + line('libcudart.so.12'))).toBe(13);
    expect(cudaRuntimeOf(line('libcudart.so.13') + line('libcudart.so.12') + line('libcublas.so.12'))).toBe(12);
    expect(cudaRuntimeOf(line('libcudart.so.13'))).toBeNull();
    expect(cudaRuntimeOf('')).toBeNull();
  });

  it('reads the build number of llama-server', () => {
    expect(llamaServerVersion('version: 6123 (ab12cd3)\nbuilt with cc (Debian 15.2.0) for x86_64-linux-gnu')).toBe(
      'b6123',
    );
    expect(llamaServerVersion('version: 0.7.0 (build 11669, commit Debian)\nbuilt with GNU 16.2.0')).toBe('b11669');
    expect(llamaServerVersion('version: 0 (unknown)')).toBeNull();
    expect(llamaServerVersion('no idea')).toBeNull();
  });

  it('counts the GPUs that llama-server can use', () => {
    const listed =
      'Available devices:\n  CUDA0: NVIDIA RTX A6000 (48550 MiB, 48000 MiB free)\n  Vulkan0: AMD (1 MiB, 1 MiB free)\n';
    expect(llamaServerGpus(`ggml_cuda_init: found 1 device\n${listed}`)).toBe(2);
    expect(llamaServerGpus('Available devices:\n  (none)\n')).toBe(0);
    expect(llamaServerGpus('error: invalid argument: --list-devices')).toBe(0);
  });
});
