import { describe, expect, it } from 'vitest';
import { CommandLineError, parseCommandLine } from './command-line.js';

const REQUIRED = ['--model', 'm.gguf', '--library', 'lib'];

describe('the command line', () => {
  it('takes llama-server’s defaults for what is not said', () => {
    expect(parseCommandLine(REQUIRED)).toEqual({
      modelPath: 'm.gguf',
      libraryDir: 'lib',
      host: '127.0.0.1',
      port: 8080,
      contextSize: 0,
      slots: 1,
      alias: undefined,
      gpu: 'auto',
      gpuLayers: undefined,
      threads: undefined,
      flashAttention: 'auto',
      exitWithParent: false,
    });
  });

  it.each([
    [['--library', 'lib'], '--model PATH is missing'],
    [['--model', 'm'], '--library DIR is missing'],
    [[...REQUIRED, '--port', '70000'], '--port takes a whole number from 0 to 65535, not "70000"'],
    [[...REQUIRED, '--parallel', '0'], '--parallel takes a whole number from 1 to 256, not "0"'],
    [[...REQUIRED, '--ctx-size', '1e3'], '--ctx-size takes a whole number from 0 to 2147483647, not "1e3"'],
    [[...REQUIRED, '--gpu', 'rocm'], '--gpu takes one of auto, cuda, vulkan, metal, false'],
    [[...REQUIRED, '--flash-attn', 'maybe'], '--flash-attn takes auto, on or off'],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(new CommandLineError(message));
  });

  it('refuses flags it does not know', () => {
    expect(() => parseCommandLine([...REQUIRED, '--frobnicate'])).toThrow(CommandLineError);
  });
});
