import { judge, simulate } from '../eta/simulate.mjs';
import { atLeast, atMost } from './checks.mjs';

const dist = new URL('../../dist/modules/', import.meta.url);
const percent = (share) => `${(share * 100).toFixed(1)} %`;

function line(label, told) {
  const { starts, insideP90, beforeMedian, medianError } = judge(told);
  return `${label.padEnd(34)} ${String(starts).padStart(6)} starts   inside p90 ${percent(insideP90)}   before the median ${percent(beforeMedian)}   median error ${percent(medianError)}`;
}

/** Simulated time: the same figures on every machine. */
export const eta = {
  name: 'eta',
  title: 'predicted starts: 4 slots, mixed lengths, both classes, load 0.8 to 1.2, in simulated time',
  async run() {
    const [{ estimateStart }, { unmeasured, withRun, withStart }] = await Promise.all([
      import(new URL('admission/estimate-start.js', dist).href),
      import(new URL('pools/measure.js', dist).href),
    ]);
    const model = { estimateStart, withRun, withStart, unmeasured };
    const told = [1, 2, 3, 4, 5].flatMap((seed) => simulate(model, { seed }));
    const { insideP90, medianError } = judge(told);
    return {
      rows: [],
      facts: [
        line('all', told),
        ...['interactive', 'batch'].map((priority) =>
          line(
            `  ${priority}`,
            told.filter((start) => start.priority === priority),
          ),
        ),
        line('one slot', simulate(model, { slots: 1 })),
        line('sixteen slots', simulate(model, { slots: 16 })),
        line('load 0.8 throughout', simulate(model, { loads: [0.8] })),
        line('load 1.2 throughout', simulate(model, { loads: [1.2] })),
        line('clients know little of lengths', simulate(model, { guess: 0.8 })),
      ],
      checks: [
        atLeast('starts inside the p90', insideP90 * 100, 85, '%'),
        atMost('starts inside the p90', insideP90 * 100, 95, '%'),
        atMost('median error', medianError * 100, 25, '%'),
      ],
    };
  },
};
