import { z } from 'zod';

/** A UUID of any version; `task_id` and `session_id` are such. Compared and stored in lower case. */
export const uuid = z.guid().toLowerCase();

export const poolIdText = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'starts with a letter or digit, then at most 62 of letters, digits, ".", "_", "-"',
  );

export const engineId = z.enum(['llamacpp', 'vllm', 'tgi', 'triton', 'openai', 'mock']).meta({
  id: 'EngineId',
  description: 'The program that decodes; `openai` is any server of its API, `mock` none at all.',
});
export type EngineId = z.infer<typeof engineId>;

export const priority = z
  .enum(['interactive', 'batch'])
  .meta({ id: 'Priority', description: 'The class a task waits in: interactive starts before batch.' });
export type Priority = z.infer<typeof priority>;

/** The most items that a page of any list has. */
export const largestPage = 500;

/** Page size and place of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(largestPage).default(50).describe('How many items at the most.'),
  cursor: z.string().min(1).max(512).optional().describe('`next_cursor` of the page before.'),
};

/** `{items[], next_cursor|null}`: the shape of every list. */
export function pageOf<Item extends z.ZodType>(item: Item, id: string) {
  return z
    .object({
      items: z.array(item),
      next_cursor: z.string().nullable().describe('Pass as `cursor` for the next page; null on the last.'),
    })
    .meta({ id });
}

/** The greatest time a Date can hold, in Unix ms. */
const latestMs = 8_640_000_000_000_000;

/** `Date.parse` alone takes anything that ends in a number: `task-7` would be a day in July 2001. */
const iso8601 = /^(?:\d{4}|[+-]\d{6})-\d\d(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?$/i;

function unixMs(text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  return iso8601.test(text) ? Date.parse(text) : Number.NaN;
}

/** ISO 8601 or Unix milliseconds; becomes Unix milliseconds, nothing before 1970. */
export const since = z
  .string()
  .refine((text) => unixMs(text) <= latestMs, 'is neither ISO 8601 (in a URL with %2B for "+") nor Unix milliseconds')
  .transform((text) => Math.max(0, unixMs(text)));
