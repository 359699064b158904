/** The life of a pool that we run (DESIGN §8), as far as it goes without drain and reload. */
export type PoolState = 'uninitialized' | 'provisioning' | 'starting' | 'ready' | 'failed' | 'offline';

const followers: Readonly<Record<PoolState, readonly PoolState[]>> = {
  uninitialized: ['provisioning', 'offline'],
  provisioning: ['starting', 'failed', 'offline'],
  starting: ['ready', 'failed', 'offline'],
  ready: ['failed', 'offline'],
  failed: ['provisioning', 'offline'],
  offline: ['provisioning'],
};

/** Whether a pool may go from one state to another. */
export function mayFollow(from: PoolState, to: PoolState): boolean {
  return followers[from].includes(to);
}
