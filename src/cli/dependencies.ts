/** The engine, the transport and the service, loaded only when a command needs them: `tidemark --version` must not wait for them. */
import type { Dependencies } from './request.ts';

export const dependencies: Dependencies = {
  async runSync(request, reporter, signal) {
    const { runSync } = await import('./run-sync.ts');
    return runSync(request, reporter, signal);
  },
  async runVerify(request, reporter, signal) {
    const { runVerify } = await import('./run-sync.ts');
    return runVerify(request, reporter, signal);
  },
  async probeEndpoint(request, signal) {
    const { probeEndpoint } = await import('./run-sync.ts');
    return probeEndpoint(request, signal);
  },
  async serveAgent() {
    const { serveAgent } = await import('../transport/agent-main.ts');
    return serveAgent();
  },
  async journals(folders) {
    const { Journals } = await import('../daemon/journals.ts');
    return new Journals(folders);
  },
  async service(place) {
    const { serviceAt } = await import('./run-daemon.ts');
    return serviceAt(place);
  },
};
