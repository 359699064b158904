import { describe, expect, it } from 'vitest';
import { discoverGpus, parseGpus } from './gpus.js';

/** `nvidia-smi --query-gpu=index,name,memory.total,memory.free,utilization.gpu,driver_version --format=csv,noheader,nounits` */
const workstation = `0, NVIDIA RTX A6000, 49140, 48677, 0, 550.54.15
1, NVIDIA GeForce RTX 3060, 12288, 11909, 37, 550.54.15
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
        vramTotalBytes: 51_527_024_640,
        vramFreeBytes: 51_041_533_952,
        utilization: 0,
        driver: '550.54.15',
      },
      {
        index: 1,
        name: 'NVIDIA GeForce RTX 3060',
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
