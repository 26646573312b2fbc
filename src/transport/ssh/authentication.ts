/**
 * Proving who we are: agent keys, key files, and what a person can type, in an order that does not use up the server's
 * patience (OpenSSH allows six tries).
 *
 * Identities the user chose come first, whether the agent or a file holds them; then the agent's other keys; then ssh's
 * default files. A passphrase is asked for only once the server has said that it would take the key.
 */
import type { AnyAuthMethod, AuthenticationType, BaseAgent, ParsedKey, Prompt } from 'ssh2';
import type { TidemarkError } from '../../platform/core/errors.ts';
import { cleanText } from '../core/escape.ts';
import { nameOfConnection, unavailable } from './errors.ts';
import {
  agentSign,
  decryptIdentity,
  type IdentityFile,
  listAgentKeys,
  publicBlob,
  readIdentity,
  type Ssh2,
  singleKeyAgent,
} from './identity.ts';
import type { SshSettings } from './resolve-config.ts';

/** How secrets are asked for; the command line implements it on the terminal. */
export interface Prompter {
  /** False without a terminal: nothing is ever asked then. */
  readonly isInteractive: boolean;
  /** Asks without echo; null where the person gave up. */
  askSecret(text: string): Promise<string | null>;
}

/** Drives the methods of one connection and remembers what became of each. */
export class Authentication {
  readonly #ssh2: Ssh2;
  readonly #settings: SshSettings;
  readonly #ask: (text: string) => Promise<string | null>;
  readonly #interactive: boolean;
  readonly #tried: { what: string; outcome: string }[] = [];
  readonly #needPassphrase: string[] = [];
  readonly #unreadable: string[] = [];
  readonly #methods: AsyncGenerator<AnyAuthMethod, void>;
  #allowed: readonly string[] | null = null;

  /** `ask` wraps the prompter, so that time spent by a person can be kept out of deadlines. */
  constructor(ssh2: Ssh2, settings: SshSettings, interactive: boolean, ask: (text: string) => Promise<string | null>) {
    this.#ssh2 = ssh2;
    this.#settings = settings;
    this.#interactive = interactive;
    this.#ask = ask;
    this.#methods = this.#sequence();
  }

  /** The next method, or false where there is none left. `allowed` is the server's last word on what may go on. */
  async next(allowed: readonly AuthenticationType[] | null): Promise<AnyAuthMethod | false> {
    if (allowed !== null) this.#allowed = allowed;
    const { value, done } = await this.#methods.next();
    return done || value === undefined ? false : value;
  }

  /** The error for a connection that got nowhere; `reason` is the server's own, where it gave one. */
  failure(reason: string | null): TidemarkError {
    const name = nameOfConnection(this.#settings);
    const key = this.#needPassphrase[0];
    if (key !== undefined) {
      const message = `${name} would take the key ${key}, but it needs a passphrase and there is no terminal to ask for it`;
      return unavailable('key-encrypted', message, `Add it to the agent first: ssh-add ${key}`);
    }
    const tried = this.#tried.map(({ what, outcome }) => `${what}: ${outcome}`).join('; ') || 'nothing to try';
    if (this.#unreadable.length > 0 && this.#tried.length === this.#unreadable.length)
      return unavailable(
        'key-unreadable',
        `${name}: ${tried}`,
        'Name another key with --identity, or repair this one.',
      );
    const stopped = reason === null ? '' : ` (${cleanText(reason, 200)})`;
    const accepts = this.#allowed === null ? '' : `; it accepts ${cleanText(this.#allowed.join(', '), 200)}`;
    return unavailable('auth-failed', `${name} did not let us in${stopped}${accepts}. Tried: ${tried}`, AUTH_REMEDY);
  }

  async *#sequence(): AsyncGenerator<AnyAuthMethod, void> {
    const agent = this.#agent();
    const agentKeys = agent === null ? [] : await this.#agentKeys(agent);
    const files = this.#settings.identityFiles.map((file) => readIdentity(this.#ssh2, file));
    const seen = new Set<string>();
    const fresh = (key: ParsedKey) => seen.size < MAX_KEYS && seen.size !== seen.add(publicBlob(key)).size;
    const { identitiesChosen, identitiesOnly } = this.#settings;
    if (identitiesChosen || identitiesOnly) yield* this.#identities(files, agent, agentKeys, fresh);
    if (agent !== null && !identitiesOnly) {
      for (const key of agentKeys) if (fresh(key)) yield* this.#agentKey(agent, key);
    }
    if (!identitiesChosen && !identitiesOnly) yield* this.#identities(files, null, [], fresh);
    if (this.#interactive) yield* this.#typed();
    else if (this.#tried.length === 0) yield* this.#none();
  }

  #agent(): BaseAgent | null {
    const socket = this.#settings.agentSocket;
    return socket === null ? null : this.#ssh2.createAgent(socket);
  }

  async #agentKeys(agent: BaseAgent): Promise<readonly ParsedKey[]> {
    const keys = await listAgentKeys(agent);
    if (!(keys instanceof Error)) return keys;
    this.#tried.push({ what: `agent ${this.#settings.agentSocket}`, outcome: 'does not answer' });
    return [];
  }

  async *#identities(
    files: readonly IdentityFile[],
    agent: BaseAgent | null,
    agentKeys: readonly ParsedKey[],
    fresh: (key: ParsedKey) => boolean,
  ): AsyncGenerator<AnyAuthMethod, void> {
    for (const identity of files) {
      const publicKey = identity.kind === 'plain' ? identity.key : 'publicKey' in identity ? identity.publicKey : null;
      const blob = publicKey === null ? null : publicBlob(publicKey);
      const held = agentKeys.find((key) => publicBlob(key) === blob);
      if (publicKey !== null && !fresh(publicKey)) continue;
      if (agent !== null && held !== undefined) yield* this.#agentKey(agent, held);
      else yield* this.#keyFile(identity);
    }
  }

  async *#agentKey(agent: BaseAgent, key: ParsedKey): AsyncGenerator<AnyAuthMethod, void> {
    const label = `agent key ${cleanText(key.comment || key.type, 100)}`;
    yield* this.#offer(label, key, agentSign(agent, key));
  }

  async *#keyFile(identity: IdentityFile): AsyncGenerator<AnyAuthMethod, void> {
    const { file } = identity;
    switch (identity.kind) {
      case 'missing':
        if (this.#settings.identitiesChosen) this.#cannotRead(file, 'does not exist');
        return;
      case 'unreadable':
        this.#cannotRead(file, identity.reason);
        return;
      case 'public':
        this.#tried.push({ what: file, outcome: 'only the public half is there, and the agent does not hold the key' });
        return;
      case 'plain':
        yield* this.#attempt(file, { type: 'publickey', username: this.#settings.user, key: identity.key });
        return;
      case 'encrypted': {
        const { publicKey } = identity;
        if (publicKey !== null) {
          yield* this.#offer(file, publicKey, async (data, hash) => (await this.#unlock(file)).sign(data, hash));
          return;
        }
        // An encrypted PEM file hides its public half: only the passphrase tells what to offer.
        const key = await this.#unlock(file).catch(() => null);
        if (key === null) this.#tried.push({ what: file, outcome: 'needs a passphrase' });
        else yield* this.#attempt(file, { type: 'publickey', username: this.#settings.user, key });
      }
    }
  }

  /** Offers a key; its signature is made once the server wants it. */
  async *#offer(
    what: string,
    key: ParsedKey,
    sign: (data: Buffer, hash: 'sha256' | 'sha512' | undefined) => Promise<Buffer>,
  ): AsyncGenerator<AnyAuthMethod, void> {
    let problem: string | null = null;
    const noted = async (data: Buffer, hash: 'sha256' | 'sha512' | undefined) => {
      try {
        return await sign(data, hash);
      } catch (error) {
        problem = (error as Error).message;
        throw error;
      }
    };
    const agent = singleKeyAgent(this.#ssh2, key, noted);
    yield* this.#attempt(what, { type: 'agent', username: this.#settings.user, agent }, () => problem);
  }

  /** One try; being asked for the next one means that this one was refused. */
  async *#attempt(
    what: string,
    method: AnyAuthMethod,
    problem: () => string | null = () => null,
  ): AsyncGenerator<AnyAuthMethod, void> {
    const entry = { what, outcome: 'no answer' };
    this.#tried.push(entry);
    yield method;
    entry.outcome = problem() ?? 'refused';
  }

  async #unlock(file: string): Promise<ParsedKey> {
    if (!this.#interactive) {
      this.#needPassphrase.push(file);
      throw new Error('needs a passphrase');
    }
    for (let attempt = 0; attempt < MAX_TYPED; attempt++) {
      const passphrase = await this.#ask(`Passphrase for the key ${file}: `);
      if (passphrase === null || passphrase === '') break;
      const key = decryptIdentity(this.#ssh2, file, passphrase);
      if (!(key instanceof Error)) return key;
    }
    throw new Error('not unlocked');
  }

  #cannotRead(file: string, reason: string): void {
    this.#unreadable.push(file);
    this.#tried.push({ what: file, outcome: reason });
  }

  async *#none(): AsyncGenerator<AnyAuthMethod, void> {
    yield { type: 'none', username: this.#settings.user };
  }

  /** What a person types. "none" comes first: it makes the server say what it would take, before anyone is asked. */
  async *#typed(): AsyncGenerator<AnyAuthMethod, void> {
    yield* this.#none();
    const { user, host } = this.#settings;
    for (let attempt = 0; attempt < MAX_TYPED && this.#allows('keyboard-interactive'); attempt++) {
      let given = true;
      const prompt = (_name: string, _text: string, _language: string, prompts: Prompt[], finish: Answer) => {
        this.#answer(prompts).then((answers) => {
          given = answers.length === prompts.length;
          finish(answers);
        });
      };
      yield* this.#attempt('keyboard-interactive', { type: 'keyboard-interactive', username: user, prompt });
      if (!given) return;
    }
    for (let attempt = 0; attempt < MAX_TYPED && this.#allows('password'); attempt++) {
      const password = await this.#ask(`Password of ${user} on ${host}: `);
      if (password === null) return;
      yield* this.#attempt('password', { type: 'password', username: user, password });
    }
  }

  #allows(method: string): boolean {
    return this.#allowed === null || this.#allowed.includes(method);
  }

  /** The answers to the server's questions; none at all where the person gave up or the server asks too much. */
  async #answer(prompts: readonly Prompt[]): Promise<string[]> {
    const answers: string[] = [];
    if (prompts.length > MAX_QUESTIONS) return answers;
    for (const { prompt } of prompts) {
      // The text is the server's: cleaned, and marked as theirs so that it cannot pose as a question of ours.
      const answer = await this.#ask(`(${nameOfConnection(this.#settings)}) ${cleanText(prompt, 300)} `);
      if (answer === null) return [];
      answers.push(answer);
    }
    return answers;
  }
}

type Answer = (responses: string[]) => void;

const AUTH_REMEDY =
  'Check that your public key is in ~/.ssh/authorized_keys there, and that the key is in the agent (ssh-add -l)\nor named with --identity.';

/** Keys tried at most: servers close after a handful, this only bounds the list of a strange agent. */
const MAX_KEYS = 20;

/** Times a person may type a secret (NumberOfPasswordPrompts of ssh). */
const MAX_TYPED = 3;

/** Questions of one keyboard-interactive round. */
const MAX_QUESTIONS = 8;
