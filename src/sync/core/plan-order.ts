/** In which order decisions are carried out where that is not the order they come in. */
import type { Decision, PutDecision } from './plan.ts';

/**
 * Stages of a run, one after another; both sides may work at once within a stage, since none waits for the other there.
 *
 * `arrange` renames with the directories they need (and moves in the archive alone), and losers of
 * conflicts moved aside: everything after speaks of the trees as they are then.
 * `fill` puts, with the removals that make room for them: within a side, in the order they come.
 * `clear` all other removals, in the order they come (children first): late, so that content that moved can be reused.
 * `finish` second halves of directory puts, in the *reverse* of the order their first halves came in (children first).
 * `note` nothing to do on either side: other records, conflicts, problems.
 */
export const STAGES = ['arrange', 'fill', 'clear', 'finish', 'note'] as const;
export type Stage = (typeof STAGES)[number];

/** The stage a decision belongs to. Second halves of directory puts go to `finish` by their maker. */
export function stageOf(decision: Decision): Stage {
  switch (decision.kind) {
    case 'rename':
    case 'record-rename':
    case 'keep-loser':
      return 'arrange';
    case 'put':
      return decision.isEarly === true ? 'arrange' : 'fill';
    case 'remove':
      return decision.makesRoom ? 'fill' : 'clear';
    case 'record':
    case 'conflict':
    case 'problem':
      return 'note';
  }
}

/** What the owner needs to fill or empty a directory: read, write and search. */
const OWNER_ACCESS = 0o700;

/**
 * Splits the put of a directory that its own owner could not fill into one that can be filled and one that finishes it.
 * null: the put needs no splitting. The second half expects what the first leaves behind.
 */
export function splitDirectoryPut(
  put: PutDecision,
): { readonly first: PutDecision; readonly last: PutDecision } | null {
  const { after } = put;
  if (after.kind !== 'directory' || (after.mode & OWNER_ACCESS) === OWNER_ACCESS) return null;
  const open = { ...after, mode: after.mode | OWNER_ACCESS };
  return { first: { ...put, after: open }, last: { ...put, reason: 'metadata', before: open, after } };
}
