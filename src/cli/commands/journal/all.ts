/** Every command below `journal`, in the order of the help. */
import { ackCommand } from './ack.ts';
import { addCommand } from './add.ts';
import { checkpointCommand } from './checkpoint.ts';
import { logCommand } from './log.ts';
import { recordCommand } from './record.ts';
import { removeCommand } from './remove.ts';
import { sinceCommand } from './since.ts';
import { statusCommand } from './status.ts';
import { verifyCommand } from './verify.ts';

export const commands = [
  addCommand,
  removeCommand,
  recordCommand,
  statusCommand,
  checkpointCommand,
  sinceCommand,
  logCommand,
  ackCommand,
  verifyCommand,
];
