/** What the tests of the client share: people at a terminal, a server with a client's folder, a command's output. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSshChannel, type Prompter, type SshOptions, type SshTarget } from '../../../src/transport/ssh/client.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';

/** No terminal: whoever asks has failed the test. */
export const nobody: Prompter = {
  isInteractive: false,
  askSecret: () => Promise.reject(new Error('asked without a terminal')),
};

/** Answers in turn and remembers the questions. */
export function person(...answers: (string | null)[]): Prompter & { readonly questions: string[] } {
  const questions: string[] = [];
  return {
    isInteractive: true,
    questions,
    askSecret: (text) => {
      questions.push(text);
      return Promise.resolve(answers.shift() ?? null);
    },
  };
}

/** What `command` prints over there. */
export async function run(target: SshTarget, options: SshOptions, command = 'echo in'): Promise<string> {
  const channel = await openSshChannel(target, command, options);
  try {
    let text = '';
    for await (const chunk of channel.incoming) text += chunk.toString();
    return text;
  } finally {
    await channel.close();
  }
}

/** Two servers, and a folder for configurations of clients. */
export class Bench {
  readonly folder: string;
  readonly sshd: TestSshd;
  /** A stranger to the configurations made here. */
  readonly other: TestSshd;
  readonly target: SshTarget;
  #files = 0;

  static async open(): Promise<Bench> {
    const [sshd, other] = await Promise.all([startSshd({ hostKeyTypes: ['ed25519', 'ecdsa', 'rsa'] }), startSshd()]);
    return new Bench(sshd, other);
  }

  constructor(sshd: TestSshd, other: TestSshd) {
    this.folder = mkdtempSync(join(tmpdir(), 'tidemark-client-'));
    this.sshd = sshd;
    this.other = other;
    this.target = { host: sshd.host, user: null, port: sshd.port };
  }

  async close(): Promise<void> {
    await Promise.all([this.sshd.stop(), this.other.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A new file name in the folder. */
  file(name: string): string {
    return join(this.folder, `${name}-${++this.#files}`);
  }

  /** A configuration with these known hosts (null: no such file or folder); further lines come first and so win. */
  config(knownHosts: string | null, ...lines: string[]): string {
    const file = this.file('config');
    const known = this.knownFile(file);
    if (knownHosts !== null) {
      mkdirSync(join(known, '..'));
      writeFileSync(known, knownHosts);
    }
    const all = [...lines, `IdentityFile ${this.sshd.identityFile}`, 'IdentitiesOnly yes', 'IdentityAgent none'];
    all.push(`UserKnownHostsFile ${known}`, 'GlobalKnownHostsFile none');
    writeFileSync(file, `Host *\n${all.join('\n')}\n`);
    return file;
  }

  /** The known hosts file a configuration names. */
  knownFile(configFile: string): string {
    return join(`${configFile}-ssh`, 'known_hosts');
  }

  /** A line that knows the server. */
  line(key = this.sshd.hostKeys[0]): string {
    return `[127.0.0.1]:${this.sshd.port} ${key}\n`;
  }
}
