/** What the readers of a waiting task were told last. Kept in its run record, so that whoever tells them next knows. */
export interface Told {
  /** How often they were told something. */
  readonly count: number;
  /** Unix ms */
  readonly atMs: number;
  readonly position: number;
  /** Predicted milliseconds from then until it starts; null: nothing was predicted. */
  readonly startMs: number | null;
  /** Whether its pool was said not to be ready. */
  readonly isStuck: boolean;
}

/** What they could be told now. */
export type News = Pick<Told, 'position' | 'startMs' | 'isStuck'>;

/** Frames of a waiting task at the most, however long it waits. */
export const mostTimes = 256;
/** So often at the full rate; after that the pause doubles every few times, up to the longest. */
const freelyTimes = 32;
const doubledEvery = 8;
const longestPauseMs = 600_000;
/** A prediction that is off by less than this, or by less than a quarter, has come true so far. */
const slightMs = 1000;

/** Whether it is time to look for news: readers are not told too often, nor for ever. Pure. */
export function isDue(told: Told | null, nowMs: number, pauseMs: number): boolean {
  return told === null || (told.count < mostTimes && nowMs - told.atMs >= pauseAfter(told.count, pauseMs));
}

/** Whether what readers know is wrong by more than a little. Pure. */
export function isNews(told: Told | null, news: News, nowMs: number): boolean {
  if (told === null) return true;
  if (told.isStuck !== news.isStuck || (told.startMs === null) !== (news.startMs === null)) return true;
  if (Math.abs(news.position - told.position) >= Math.max(1, Math.floor(told.position / 16))) return true;
  if (told.startMs === null || news.startMs === null) return false;
  const left = Math.max(0, told.startMs - (nowMs - told.atMs));
  return Math.abs(news.startMs - left) > Math.max(slightMs, Math.max(left, news.startMs) / 4);
}

/** The pause after so many frames. @param pauseMs the first ones' */
export function pauseAfter(count: number, pauseMs: number): number {
  return Math.min(Math.max(pauseMs, longestPauseMs), pauseMs * 2 ** Math.max(0, (count - freelyTimes) / doubledEvery));
}

export function writeTold({ count, atMs, position, startMs, isStuck }: Told): string {
  return [count, atMs, position, startMs ?? '-', isStuck ? 1 : 0].join(' ');
}

/** Null: nothing was told. */
export function readTold(text: string): Told | null {
  if (text === '') return null;
  const [count = '', atMs = '', position = '', startMs = '', isStuck = ''] = text.split(' ');
  return {
    count: Number(count),
    atMs: Number(atMs),
    position: Number(position),
    startMs: startMs === '-' ? null : Number(startMs),
    isStuck: isStuck === '1',
  };
}
