/** One request answered: asks the journal, sends its lists in frames, and the end of the answer. */
import type { JournalService } from '../journal/service.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import { changesEnd, checkpointEnd, statusEnd } from './core/answers.ts';
import { FRAME, type FrameType } from './core/frames.ts';
import { MAX_ROOTS } from './core/limits.ts';
import { CHANGE, DIFFERENCE, GAP, type ItemCodec, PATH, payloadsOf } from './core/lists.ts';
import { encodeDone, encodeRoots, type Request } from './core/messages.ts';
import type { FrameLink } from './frame-link.ts';
import type { Hosting } from './hosting.ts';

/** Roots in one frame: 4 KiB each at most, six characters for a byte in the worst case. */
const ROOTS_IN_FRAME = 32;

/** Answers `request` over `link`. `signal`: the client is gone. What is thrown is for the caller to send. */
export async function answer(request: Request, hosting: Hosting, link: FrameLink, signal: AbortSignal): Promise<void> {
  const end = await answerLists(request, hosting, link, signal);
  await link.send(FRAME.done, encodeDone(end));
}

async function answerLists(
  request: Request,
  hosting: Hosting,
  link: FrameLink,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  switch (request.method) {
    case 'describe':
      await sendRoots(hosting, link);
      return { ...hosting.facts() };
    case 'add':
      return { backend: await hosting.add(request.root) };
    case 'remove':
      await hosting.remove(request.root, request.forget);
      return {};
    default:
      return answerOf(await hosting.journal(request.root), request, link, signal);
  }
}

type JournalRequest = Exclude<Request, { method: 'describe' | 'add' | 'remove' }>;

async function answerOf(
  journal: JournalService,
  request: JournalRequest,
  link: FrameLink,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  switch (request.method) {
    case 'checkpoint': {
      const taken = await journal.checkpoint(request.subtree);
      await sendList(link, FRAME.hot, PATH, taken.hot);
      await sendList(link, FRAME.gaps, GAP, taken.gaps);
      return checkpointEnd(taken);
    }
    case 'changes':
      return sendChanges(journal, request.cursor, request.subtree, link);
    case 'follow':
      await sendFollowed(journal, link, signal);
      return {};
    case 'acknowledge':
      await journal.acknowledge(request.consumer, request.cursor);
      return {};
    case 'register':
      return { cursor: await journal.register(request.consumer) };
    case 'unregister':
      await journal.unregister(request.consumer);
      return {};
    case 'status': {
      const status = await journal.status();
      await sendList(link, FRAME.hot, PATH, status.hot);
      await sendList(link, FRAME.gaps, GAP, status.gaps);
      return statusEnd(status);
    }
    case 'verify': {
      const { differences, hot, entries, compared, firstHashed } = await journal.verify();
      await sendList(link, FRAME.differences, DIFFERENCE, differences);
      await sendList(link, FRAME.hot, PATH, hot);
      return { entries, compared, firstHashed };
    }
  }
}

async function sendRoots(hosting: Hosting, link: FrameLink): Promise<void> {
  const roots = hosting.roots().slice(0, MAX_ROOTS);
  for (let from = 0; from < roots.length; from += ROOTS_IN_FRAME) {
    await link.send(FRAME.roots, encodeRoots(roots.slice(from, from + ROOTS_IN_FRAME)));
  }
}

/** One batch of the journal after the other: a slow reader holds the journal's iteration back. */
async function sendChanges(
  journal: JournalService,
  cursor: string | null,
  subtree: BytePath,
  link: FrameLink,
): Promise<Record<string, unknown>> {
  const answer = await journal.changes(cursor, subtree);
  for (const batch of answer.changes) await sendList(link, FRAME.changes, CHANGE, batch);
  await sendList(link, FRAME.gaps, GAP, answer.gaps);
  return changesEnd(answer);
}

/** The first frame is empty: it says that whatever happens from now on will be told. */
async function sendFollowed(journal: JournalService, link: FrameLink, signal: AbortSignal): Promise<void> {
  const rounds = journal.follow(signal)[Symbol.asyncIterator]();
  let next = rounds.next();
  next.catch(() => {});
  await link.send(FRAME.changes, Buffer.alloc(0));
  for (;;) {
    const { value, done } = await next;
    if (done === true) return;
    await sendList(link, FRAME.changes, CHANGE, value);
    next = rounds.next();
  }
}

async function sendList<Item>(
  link: FrameLink,
  type: FrameType,
  codec: ItemCodec<Item>,
  items: Iterable<Item>,
): Promise<void> {
  for (const payload of payloadsOf(codec, items)) await link.send(type, payload);
}
