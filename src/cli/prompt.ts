/** Questions on the controlling terminal, also where stdin and stdout are something else. */
import { closeSync, openSync } from 'node:fs';
import { displayText } from '../platform/core/display.ts';
import { TidemarkError } from '../platform/core/errors.ts';

/** Longest answer taken, in characters. */
const MAX_ANSWER_CHARACTERS = 4096;

export interface Prompter {
  /** True where somebody can be asked. */
  isInteractive(): boolean;
  /**
   * Asks and returns the answer; what is typed is not shown. One question at a time, further ones wait.
   * @throws TidemarkError `unavailable` (`no-terminal`) where there is no terminal, `interrupted` on Ctrl-C.
   */
  askSecret(question: string): Promise<string>;
}

export interface TerminalPrompterOptions {
  /** Clears the terminal for a question; returns what gives it back. */
  readonly hold: () => () => void;
  readonly device?: string;
}

/** A prompter on /dev/tty. Opens it only while it asks. */
export function terminalPrompter({ hold, device = '/dev/tty' }: TerminalPrompterOptions): Prompter {
  let last: Promise<unknown> = Promise.resolve();
  return {
    isInteractive() {
      const fd = openOrNull(device);
      if (fd !== null) closeSync(fd);
      return fd !== null;
    },
    askSecret(question) {
      const answer = last.then(() => ask(device, question, hold));
      last = answer.catch(() => {});
      return answer;
    },
  };
}

/** What one key press makes of an answer: more of it, its end, or an interruption. */
export type Typed = { readonly kind: 'more' | 'done' | 'interrupted'; readonly text: string };

/**
 * Adds what the terminal sent in raw mode: Enter ends, Backspace takes a character back, Ctrl-U all of them, Ctrl-C and
 * Ctrl-D interrupt, other control characters are ignored.
 */
export function typed(before: string, input: string): Typed {
  let text = before;
  for (const character of input) {
    if (character === '\r' || character === '\n') return { kind: 'done', text };
    if (character === '\x03' || character === '\x04') return { kind: 'interrupted', text: '' };
    if (character === '\x7f' || character === '\b') text = [...text].slice(0, -1).join('');
    else if (character === '\x15') text = '';
    else if (character >= ' ' && text.length < MAX_ANSWER_CHARACTERS) text += character;
  }
  return { kind: 'more', text };
}

async function ask(device: string, question: string, hold: () => () => void): Promise<string> {
  const fd = openOrNull(device);
  if (fd === null) throw noTerminal(question);
  const { ReadStream, WriteStream } = await import('node:tty');
  const release = hold();
  const output = new WriteStream(openSync(device, 'w'));
  const input = new ReadStream(fd);
  try {
    // Silent before the question shows, or a quick answer would be echoed.
    input.setRawMode(true);
    output.write(`${displayText(question.trimEnd())} `);
    return await answerFrom(input);
  } finally {
    input.setRawMode(false);
    input.destroy();
    await new Promise<void>((resolve) => output.write('\n', () => resolve()));
    output.destroy();
    release();
  }
}

function answerFrom(input: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    input.setEncoding('utf8');
    input.on('error', reject);
    input.on('end', () => reject(interrupted()));
    input.on('data', (chunk: string | Buffer) => {
      const next = typed(text, String(chunk));
      text = next.text;
      if (next.kind === 'done') resolve(text);
      if (next.kind === 'interrupted') reject(interrupted());
    });
  });
}

function openOrNull(device: string): number | null {
  try {
    return openSync(device, 'r+');
  } catch {
    return null;
  }
}

function noTerminal(question: string): TidemarkError {
  const asked = displayText(question.trim().replace(/:$/, ''));
  return new TidemarkError('unavailable', 'no-terminal', `asked for "${asked}", but there is no terminal to ask on`, {
    remedy: 'Use a key without a passphrase, or an ssh agent.',
  });
}

function interrupted(): TidemarkError {
  return new TidemarkError('interrupted', 'SIGINT', 'interrupted at a question');
}
