import { readFile, rm, stat, writeFile } from 'node:fs/promises';

/** What is left of an earlier attempt and may be continued. */
export interface Part {
  readonly bytes: number;
  /** A strong validator: the server continues only what it still has. */
  readonly etag: string;
}

interface Note {
  readonly url: string;
  readonly etag: string;
}

/** The part of an earlier attempt at the same URL; null when there is none, or none that a server could vouch for. */
export async function readPart(target: string, url: URL): Promise<Part | null> {
  try {
    const note = JSON.parse(await readFile(notePath(target), 'utf8')) as Partial<Note>;
    const { size } = await stat(`${target}.part`);
    if (note.url !== bareUrl(url) || typeof note.etag !== 'string' || size === 0) return null;
    return { bytes: size, etag: note.etag };
  } catch {
    return null;
  }
}

/** Notes what the coming bytes belong to. A weak or absent ETag can't vouch for bytes: such a part is never continued. */
export async function keepPart(target: string, url: URL, etag: string | undefined): Promise<void> {
  if (etag === undefined || etag.startsWith('W/')) return rm(notePath(target), { force: true });
  const note: Note = { url: bareUrl(url), etag };
  await writeFile(notePath(target), JSON.stringify(note));
}

export async function discardPart(target: string): Promise<void> {
  await rm(`${target}.part`, { force: true });
  await rm(notePath(target), { force: true });
}

function notePath(target: string): string {
  return `${target}.part.json`;
}

/** Without the query: it may be a signature, which is a secret and changes each time. */
function bareUrl(url: URL): string {
  return url.origin + url.pathname;
}
