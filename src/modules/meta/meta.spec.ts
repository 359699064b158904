import { describe, expect, it } from 'vitest';
import { version } from '../../contract/meta.js';
import { MetaController } from './meta.controller.js';

describe('meta', () => {
  it('tells the version of the package', () => {
    const answer = new MetaController().version();
    expect(version.parse(answer)).toEqual(answer);
    expect(answer.version).toMatch(/^\d+\.\d+\.\d+/);
  });
});
