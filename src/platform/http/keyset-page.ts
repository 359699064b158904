import { invalidParams } from '../errors/app-error.js';

/** A place in a list that shows the newest first: the id breaks ties. */
export interface Place {
  /** Unix ms */
  readonly createdMs: number;
  readonly id: string;
}

/**
 * One page of a list.
 * @param found what was read from the place on: one more than `limit` when there is a next page
 */
export function pageOf<Item>(
  found: readonly Item[],
  limit: number,
  placeOf: (item: Item) => Place,
): { items: Item[]; next_cursor: string | null } {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next_cursor: found.length > limit && last !== undefined ? writeCursor(placeOf(last)) : null };
}

/** The place that a cursor stands for; null: the beginning. Rejects with INVALID_PARAMS what no page has given. @param isId whether a text is an id of the list */
export function readCursor(cursor: string | undefined, isId: (text: string) => boolean): Place | null {
  if (cursor === undefined) return null;
  // Fifteen digits always fit a Date, and last for thirty thousand years.
  const [, createdMs, id] = /^(\d{1,15})\.(\S+)$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (createdMs === undefined || id === undefined || !isId(id))
    throw invalidParams([{ field: 'query.cursor', problem: 'is not a cursor of this list' }]);
  return { createdMs: Number(createdMs), id };
}

/** As clients carry it: they need not know what is in it. */
function writeCursor({ createdMs, id }: Place): string {
  return Buffer.from(`${createdMs}.${id}`, 'latin1').toString('base64url');
}
