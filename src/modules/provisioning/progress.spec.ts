import { describe, expect, it } from 'vitest';
import { ProgressMeter, progressText, type Progress } from './progress.js';

describe('progress of a long step', () => {
  it('reports begin and end always, the steps between at most twice a second, and rates without the resumed bytes', () => {
    let now = 0;
    const reports: Progress[] = [];
    const meter = new ProgressMeter(
      'download x',
      null,
      (progress) => reports.push(progress),
      500,
      () => now,
    );
    meter.begin(1_000_000, 4_000_000);
    for (const [atMs, bytes] of [
      [100, 1_100_000],
      [1000, 2_000_000],
      [1100, 2_100_000],
      [2000, 3_000_000],
    ] as const) {
      now = atMs;
      meter.reach(bytes);
    }
    now = 3000;
    meter.finish(4_000_000);
    expect(reports.map(({ phase, elapsedMs }) => `${phase} ${elapsedMs}`)).toEqual([
      'started 0',
      'running 1000',
      'running 2000',
      'done 3000',
    ]);
    expect(reports[1]).toMatchObject({ bytesPerSecond: 1_000_000, etaMs: 2000 });
  });

  it('reads as one line', () => {
    const step = {
      what: 'download x',
      bytesDone: 120e6,
      bytesTotal: 4.7e9,
      bytesPerSecond: 85e6,
      etaMs: 54_000,
      elapsedMs: 1400,
    };
    expect(progressText({ ...step, phase: 'running' })).toBe(
      'download x: 120 MB of 4.7 GB (2 %), 85.0 MB/s, 54 s left',
    );
    expect(progressText({ ...step, phase: 'done' })).toBe('download x: 120 MB, done in 1.4 s');
    expect(progressText({ ...step, phase: 'started', bytesDone: 0 })).toBe('download x: 4.7 GB');
    expect(progressText({ ...step, phase: 'started', bytesDone: 0, bytesTotal: null })).toBe('download x');
  });
});
