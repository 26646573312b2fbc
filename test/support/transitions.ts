/** `fixtures/model/transitions.json`: what the model's journal does, for the test of the one in TypeScript. */
import { FLAGS, transitionsOf } from './spin.ts';

/** When an event may come, and what the journal's shell has to do for it beside storing the new state. */
interface EventDescription {
  readonly means: string;
  readonly when: string;
  readonly effects: readonly string[];
}

const EVENTS: Readonly<Record<string, EventDescription>> = {
  read: {
    means: 'an event of the object was read, or a scan found that it is not what the index says',
    when: 'always',
    effects: ['store-with-removal-from-queue', 'may-set-ignore-mark'],
  },
  begin: { means: 'a checkpoint begins', when: 'not pending', effects: ['flush', 'census', 'drain'] },
  'see-writer': { means: 'the census saw a writer of the object', when: 'pending', effects: ['fdatasync'] },
  drained: { means: 'flush, census and drain are done', when: 'pending', effects: ['start-verification'] },
  commit: { means: 'the period is closed and the next opened', when: 'pending', effects: ['store-durably'] },
  refuse: { means: 'no lease, a broken lease or two different stats', when: 'unproven', effects: ['release-lease'] },
  prove: { means: 'read under the lease', when: 'unproven', effects: ['store-durably', 'release-lease'] },
  tell: { means: 'the consumer asks what changed', when: 'not told', effects: ['deliver-if-proven'] },
  acknowledge: { means: 'the consumer acknowledges', when: 'told', effects: ['store-durably'] },
  recover: { means: 'a worker starts after a crash', when: 'always', effects: ['listen', 'scan-if-group-was-lost'] },
};

/** The file's text, one transition a line. */
export async function transitionsText(model: string): Promise<string> {
  const transitions = await transitionsOf(model);
  const events = Object.entries(EVENTS).map(([name, event]) => `    ${JSON.stringify(name)}: ${JSON.stringify(event)}`);
  return [
    '{',
    `  "flags": ${JSON.stringify(FLAGS)},`,
    `  "events": {\n${events.join(',\n')}\n  },`,
    `  "transitions": [\n${transitions.map((row) => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`,
    '}\n',
  ].join('\n');
}
