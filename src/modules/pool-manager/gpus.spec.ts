import { describe, expect, it } from 'vitest';
import { discoverGpus, gpusUnder, parseGpus } from './gpus.js';

/** `nvidia-smi --query-gpu=index,name,memory.total,memory.free,utilization.gpu,driver_version,uuid --format=csv,noheader,nounits` */
const workstation = `0, NVIDIA RTX A6000, 49140, 48677, 0, 550.54.15, GPU-08f1fdd2-1f0a-5f32-8f5a-3d1e5c7c0a11
1, NVIDIA GeForce RTX 3060, 12288, 11909, 37, 550.54.15, GPU-9b6c1d3e-77aa-4c0e-b0b1-6c2f9d1e4a22
`;
const withMig = '0, NVIDIA H100 80GB HBM3, 81559, 80995, [N/A], 535.161.08\n';
const withALostCard = `0, NVIDIA A10G, 23028, 22515, 0, 535.183.01
1, [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], 535.183.01
`;

describe('reading nvidia-smi', () => {
  it('lists each GPU with its memory in bytes', () => {
    expect(parseGpus(workstation)).toEqual([
      {
        index: 0,
        name: 'NVIDIA RTX A6000',
        uuid: 'GPU-08f1fdd2-1f0a-5f32-8f5a-3d1e5c7c0a11',
        vramTotalBytes: 51_527_024_640,
        vramFreeBytes: 51_041_533_952,
        utilization: 0,
        driver: '550.54.15',
      },
      {
        index: 1,
        name: 'NVIDIA GeForce RTX 3060',
        uuid: 'GPU-9b6c1d3e-77aa-4c0e-b0b1-6c2f9d1e4a22',
        vramTotalBytes: 12_884_901_888,
        vramFreeBytes: 12_487_491_584,
        utilization: 37,
        driver: '550.54.15',
      },
    ]);
  });

  it('takes a card that tells no utilisation, and leaves out one that is lost', () => {
    expect(parseGpus(withMig)).toMatchObject([{ index: 0, utilization: null }]);
    expect(parseGpus(withALostCard).map(({ index }) => index)).toEqual([0]);
    expect(parseGpus('')).toEqual([]);
  });

  it.each([
    [null, [0, 1], true],
    ['0', [0], true],
    ['1, 0', [0, 1], true],
    ['GPU-9b6c', [1], true],
    ['1,7', [1], false],
    ['', [], false],
    ['MIG-GPU-9b6c1d3e/1/0', [], false],
  ])('knows the cards under the mask %s', (mask, indexes, isWhole) => {
    const { found, ...rest } = gpusUnder(mask, parseGpus(workstation));
    expect([found.map(({ index }) => index), rest.isWhole]).toEqual([indexes, isWhole]);
  });

  it('says so when there is no nvidia-smi, and when it fails', async () => {
    expect(await discoverGpus({ PATH: '' })).toEqual({ available: false, reason: 'nvidia-smi is not on PATH' });
    expect(await discoverGpus({ PATH: '/bin:/usr/bin' }, 'false')).toEqual({
      available: false,
      reason: 'false failed',
    });
    expect(await discoverGpus({ PATH: '/bin:/usr/bin' }, 'true')).toEqual({
      available: false,
      reason: 'true lists no GPU',
    });
  });
});
