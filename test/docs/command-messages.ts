/** What the documents show of the command, as it prints it. Ports, times and request ids are those of the documents. */

import { HELP } from '../../src/cli/help.ts'
import { run } from '../../src/cli/run.ts'
import { type Fault, startLocalGateway } from '../../src/testing/index.ts'
import { IDENTITY } from '../support/helpers.ts'
import { Collector } from '../unit/cli/context.ts'

type Make = () => Promise<string>

export const commandMessages: Readonly<Record<string, Make>> = {
  'help-call': async () => HELP.call.trimEnd(),
  'help-doctor': async () => HELP.doctor.trimEnd(),
  doctor: printed(['doctor', 'ai', 'integration'], { 'integration *': 'access-denied' }),
  'doctor-json': printed(['doctor', 'ai', '--json', '--path', '/none']),
  'call-refused': printed(['call', 'integration', 'POST', 'publish/blog', '-d', '{"contentId":"c-1"}'], {
    'integration *': 'access-denied',
  }),
  'call-verbose': printed(['call', 'ai', 'health', '-v']),
}

function printed(args: readonly string[], faults: Readonly<Record<string, Fault>> = {}): Make {
  return async () => {
    const routes = { 'GET /health': { status: 'healthy' }, 'POST /publish/blog': {} }
    const gateway = await startLocalGateway({ services: { ai: routes, integration: routes }, credentials: IDENTITY })
    for (const [route, fault] of Object.entries(faults)) gateway.fail(route, fault)
    try {
      const [stdout, stderr] = [new Collector(), new Collector()]
      const noInput = (async function* () {})()
      await run(args, { env: { ...gateway.env }, stdin: noInput, stdout, stderr, now: Date.now })
      return settle(`${stderr.bytes}${stdout.bytes}`.trimEnd())
    } finally {
      await gateway.close()
    }
  }
}

/** What differs from run to run. */
function settle(text: string): string {
  return text
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:8080')
    .replaceAll(/\b[\d.]+ ms/g, '2 ms')
    .replaceAll(/\d{8}T\d{6}Z/g, '20250303T070000Z')
    .replaceAll(/\d{8}\/us-east-1/g, '20250303/us-east-1')
    .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, 'd2c1a7e0-3c5b-4d52-9a0e-6a4f0e1b7c11')
    .replace(/(aws4_request\n {2})[\da-f]{64}/, '$15a1f...')
}
