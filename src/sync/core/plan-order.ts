/** In which order decisions are carried out where that is not the order they come in. */
import type { Decision } from './plan.ts';

/**
 * Stages of a run, one after another; both sides may work at once within a stage, since none waits for the other there.
 *
 * `arrange` renames with the directories they need (and moves in the archive alone), and losers of
 * conflicts moved aside: everything after speaks of the trees as they are then.
 * `fill` puts, with the removals that make room for them: within a side, in the order they come.
 * `clear` all other removals, in the order they come (children first): late, so that content that moved can be reused.
 * `note` between `arrange` and `fill`: nothing to do on either side: other records, conflicts, problems.
 */
export const STAGES = ['arrange', 'fill', 'clear'] as const;
export type Stage = (typeof STAGES)[number];

/** What is carried out on a side. */
export type SideDecision = Extract<Decision, { readonly kind: 'put' | 'remove' | 'rename' | 'keep-loser' }>;

/** The stage a decision belongs to. */
export function stageOf(decision: SideDecision): Stage;
export function stageOf(decision: Decision): Stage | 'note';
export function stageOf(decision: Decision): Stage | 'note' {
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
