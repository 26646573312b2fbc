/** What the commands of the service share. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { invocationOf } from '../../invocation.ts';
import { outputOptions } from '../../options/groups.ts';
import { type Printer, printerFor } from '../../output/printer.ts';
import type { ServiceAccess } from '../../request.ts';

export interface ServiceCall {
  readonly service: ServiceAccess;
  readonly printer: Printer;
}

/** Reads the options of a command of the service. */
export async function serviceCall(command: Command, context: Context): Promise<ServiceCall> {
  const { values, folders } = await invocationOf(command, 'daemon', context);
  const { environment, homeDirectory } = context;
  return {
    service: await context.dependencies.service({ folders, environment, homeDirectory }),
    printer: printerFor(outputOptions(values), context),
  };
}
