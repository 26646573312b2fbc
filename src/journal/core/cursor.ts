/** A point in a journal as text: `v1.<journal id>.<epoch>.<sequence>`. */

export interface CursorParts {
  /** Hex, made anew whenever the journal's continuity is lost. */
  readonly journal: string;
  /** Counts gaps. A cursor from before a gap stays good: the gap was closed by a look at its scope. */
  readonly epoch: number;
  readonly sequence: number;
}

export function formatCursor({ journal, epoch, sequence }: CursorParts): string {
  return `v1.${journal}.${epoch}.${sequence}`;
}

/** null where the text is no cursor of this form. */
export function parseCursor(text: string): CursorParts | null {
  const match = /^v1\.([0-9a-f]{8,64})\.(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (match === null) return null;
  return { journal: match[1] as string, epoch: Number(match[2]), sequence: Number(match[3]) };
}
