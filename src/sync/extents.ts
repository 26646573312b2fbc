/** Where a file holds data and where holes. */
/** A part of a file, `end` excluded. */
export interface Extent {
  readonly kind: 'data' | 'hole';
  readonly start: number;
  readonly end: number;
}

/** Shorter holes travel as the zeros they read as. */
export const MIN_HOLE_BYTES = 64 * 1024;

/** Next range of data at or after an offset, null past the last: `FileSystem.nextData` of one file. */
export type NextData = (offset: number) => { readonly start: number; readonly end: number } | null;

/** The extents of a file in order, without gaps. Holes shorter than {@link MIN_HOLE_BYTES} count as data. */
export function* extentsOf(sizeBytes: number, nextData: NextData): Generator<Extent> {
  let dataStart = 0;
  for (let at = 0; at < sizeBytes; ) {
    const next = nextData(at);
    const holeEnd = next === null ? sizeBytes : Math.min(next.start, sizeBytes);
    if (holeEnd - at >= MIN_HOLE_BYTES) {
      if (at > dataStart) yield { kind: 'data', start: dataStart, end: at };
      yield { kind: 'hole', start: at, end: holeEnd };
      dataStart = holeEnd;
    }
    at = next === null ? sizeBytes : Math.max(next.end, at + 1);
  }
  if (dataStart < sizeBytes) yield { kind: 'data', start: dataStart, end: sizeBytes };
}
