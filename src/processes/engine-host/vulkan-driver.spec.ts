import { readFile } from 'node:fs/promises';
import { env } from 'node:process';
import { afterEach, describe, expect, it } from 'vitest';
import { withVulkanDriver } from './vulkan-driver.js';

describe.runIf(process.platform === 'linux')('withVulkanDriver', () => {
  afterEach(() => {
    delete env['VK_ICD_FILENAMES'];
  });

  it('leaves the drivers of the system alone where they find a card', async () => {
    expect(await withVulkanDriver(() => Promise.resolve(env['VK_DRIVER_FILES']))).toBeUndefined();
  });

  it("tries NVIDIA's by way of EGL where they find none", async () => {
    const load = async (): Promise<string> => {
      const file = env['VK_DRIVER_FILES'];
      if (file === undefined || env['VK_ICD_FILENAMES'] !== file) throw new Error('no card');
      return readFile(file, 'utf8');
    };
    expect(JSON.parse(await withVulkanDriver(load))).toMatchObject({ ICD: { library_path: 'libEGL_nvidia.so.0' } });
    expect(env['VK_DRIVER_FILES']).toBeUndefined();
  });

  it('says what was wrong first where both find none', async () => {
    let tries = 0;
    const load = (): Promise<never> => Promise.reject(new Error(`no card, try ${(tries += 1)}`));
    await expect(withVulkanDriver(load)).rejects.toThrow('no card, try 1');
    expect(tries).toBe(2);
  });

  it('does not overrule who names drivers himself', async () => {
    env['VK_ICD_FILENAMES'] = '/mine.json';
    let tries = 0;
    const load = (): Promise<never> => Promise.reject(new Error(`no card, try ${(tries += 1)}`));
    await expect(withVulkanDriver(load)).rejects.toThrow('no card');
    expect(tries).toBe(1);
  });
});
