import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, platform } from 'node:process';

/**
 * NVIDIA's Vulkan driver as its EGL library offers it. What the driver installs names its GLX library, which finds no card on servers without
 * the libraries of X11. https://github.com/KhronosGroup/Vulkan-Loader/blob/main/docs/LoaderDriverInterface.md#driver-manifest-file-format
 */
const manifest = { file_format_version: '1.0.0', ICD: { library_path: 'libEGL_nvidia.so.0', api_version: '1.3.0' } };
/** The second is the first one's name before loader 1.3.207. */
const variables = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'];

/**
 * Loads with the Vulkan drivers of the system, and where that fails on Linux, once more with NVIDIA's by way of EGL, unless somebody has named
 * drivers himself. Rejects with the first failure. @param load rejects when no card was found
 */
export async function withVulkanDriver<Loaded>(load: () => Promise<Loaded>): Promise<Loaded> {
  try {
    return await load();
  } catch (error) {
    if (platform !== 'linux' || variables.some((name) => env[name] !== undefined)) throw error;
    const directory = await mkdtemp(join(tmpdir(), 'orchestratord-vulkan-'));
    try {
      const file = join(directory, 'nvidia-egl.json');
      await writeFile(file, JSON.stringify(manifest));
      for (const name of variables) env[name] = file;
      return await load().catch(() => {
        throw error;
      });
    } finally {
      for (const name of variables) delete env[name];
      await rm(directory, { recursive: true, force: true });
    }
  }
}
