/** Why an engine ended. */
export interface Cause {
  /** For an operator. */
  readonly meaning: string;
  /** Another build of the engine may run where this one can't. */
  readonly isOfTheBuild: boolean;
}

/** What an engine wrote before it ended, and what that means to whoever runs it. The first that fits is told. */
const causes: readonly (readonly [pattern: RegExp, meaning: string, isOfTheBuild?: true])[] = [
  [
    /unsupported toolchain|CUDA driver version is insufficient/i,
    'its CUDA build is newer than the NVIDIA driver of this machine knows. Update the driver, or put a llama-server on PATH that was built ' +
      'for it and set provisioning.package.name: llama-server',
    true,
  ],
  [
    /no kernel image is available/i,
    'its CUDA build has no code for this card. Put a llama-server on PATH that was built for it and set provisioning.package.name: llama-server',
    true,
  ],
  [
    /no prebuilt binary that fits/i,
    'its build does not run on this machine. The log says more; a llama-server on PATH may: set provisioning.package.name: llama-server',
    true,
  ],
  [
    /cudaMalloc failed: out of memory|CUDA error: out of memory|ErrorOutOfDeviceMemory|failed to allocate \S+ buffer of size/i,
    'the memory of the GPU was too small for it. Choose a smaller model or quantisation, a smaller ctx, or fewer slots',
  ],
  [
    /CUDA error|NVRM|Xid|vk::DeviceLostError|ErrorDeviceLost/i,
    'the GPU or its driver failed. `nvidia-smi` and the log of the kernel (dmesg) say more',
  ],
  [
    /std::bad_alloc|cannot allocate memory|mmap failed/i,
    'the memory of this machine was too small for it. Choose a smaller model, a smaller ctx, or fewer slots',
  ],
];

/** Tells why an engine ended, from the end of its log; null when the log holds no cause that is known here. */
export function causeInLog(log: string): Cause | null {
  const found = causes.find(([pattern]) => pattern.test(log));
  return found === undefined ? null : { meaning: found[1], isOfTheBuild: found[2] === true };
}
