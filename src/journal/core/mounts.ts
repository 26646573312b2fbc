/**
 * Where a name leads, by the mounts it passes: one file system may be mounted several times, in whole or in part, here
 * and in the mount namespaces of other processes, and the same file then has as many absolute names.
 */

/** One line of mountinfo. Paths are absolute byte strings without a slash at the end; the topmost is empty. */
export interface Mount {
  readonly id: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Which part of the file system is mounted. */
  readonly root: string;
  readonly point: string;
}

/** The mounts in `text` (byte string), the form of /proc/<pid>/mountinfo. Lines of another form are left out. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [id, , device, root, point] = line.split(' ');
    if (id === undefined || device === undefined || root === undefined || point === undefined) return [];
    return [{ id: Number(id), device, root: bare(root), point: bare(point) }];
  });
}

/** A place in a file system, whatever it is called from outside. */
export interface Place {
  readonly device: string;
  /** From the top of the file system. */
  readonly path: string;
}

/**
 * Where in its file system `name` is, an absolute byte path. `mount`: the number of the mount it was opened through, or
 * 0: then the last one mounted on the longest of its beginnings is taken. null where no mount fits.
 */
export function placeOf(mounts: readonly Mount[], name: string, mount: number): Place | null {
  let best: Mount | null = null;
  for (const candidate of mounts) {
    if (mount !== 0 && candidate.id !== mount) continue;
    if (!isBelow(name, candidate.point)) continue;
    if (best === null || candidate.point.length >= best.point.length) best = candidate;
  }
  return best === null ? null : { device: best.device, path: best.root + name.slice(best.point.length) };
}

/** The path of `place` relative to `top`; null where it is not below it. */
export function pathBelow(place: Place, top: Place): string | null {
  if (place.device !== top.device || !isBelow(place.path, top.path)) return null;
  return place.path.slice(top.path.length + 1);
}

function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}

/** Blanks, tabs, newlines and backslashes are written as octal numbers. */
function bare(escaped: string): string {
  const path = escaped.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return path.endsWith('/') ? path.slice(0, -1) : path;
}
