import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type Fault, reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY, useFolder } from '../../support/helpers.ts'
import { runHere } from './context.ts'

const FAULTS: readonly (Fault | undefined)[] = [
  undefined,
  'signature-mismatch',
  'incomplete-signature',
  'access-denied',
  'expired-token',
  'half-answer',
  'reset-after-read',
  'bad-gateway',
]

/** All combinations of some of the options. */
const subsets = (options: readonly string[]): string[][] =>
  options.reduce<string[][]>((all, option) => all.concat(all.map((one) => one.concat(option))), [[]])

const spellings = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  secret.replaceAll('/', '\\/'),
  Buffer.from(secret).toString('base64').replace(/=*$/, '').slice(0, -1),
]

it('no combination of options shows a secret', { timeout: 60_000 }, async () => {
  const echo = ({ headers, body }: { headers: Readonly<Record<string, string>>; body: Uint8Array }) =>
    reply(
      headers['x-status'] === undefined ? 200 : Number(headers['x-status']),
      { headers, body: String(body) },
      { 'x-echo': headers.authorization ?? '', ...headers, 'content-type': 'application/json' },
    )
  const gateway = await startLocalGateway({
    credentials: IDENTITY,
    services: { ai: { 'GET /health': echo, 'POST /health': echo } },
  })
  const folder = useFolder()
  onTestFinished(gateway.close)
  const file = join(folder, 'body')
  const calls = subsets(['-i', '-v', `-o${file}`, '-d{}', '-Hx-status: 500']).map((options) => [
    'call',
    'ai',
    'health',
    '--retry=0',
    ...options,
  ])
  const doctors = subsets(['--json', '--whoami', '--path=/none']).map((options) => ['doctor', ...options])
  const env = { ...gateway.env, AWS_ENDPOINT_URL_STS: gateway.url }
  const outputs: string[] = []
  for (const fault of FAULTS) {
    const heal = fault === undefined ? () => {} : gateway.fail('ai *', fault)
    for (const args of [...calls, ...doctors]) {
      for (const isTerminal of [true, false]) {
        const { stdout, stderr } = await runHere(args, { env: { ...env }, isTerminal })
        outputs.push(stdout, stderr)
      }
    }
    outputs.push(readFileSync(file, 'utf8'))
    heal()
  }
  const signatures = gateway.requests.flatMap(
    ({ headers }) => /Signature=([\da-f]{64})$/.exec(headers.authorization ?? '')?.[1] ?? [],
  )
  expect(signatures.length).toBeGreaterThan(300)
  const text = outputs.join('\n')
  expect(text).toContain('[redacted]')
  for (const secret of [IDENTITY.secretAccessKey, IDENTITY.sessionToken as string]) {
    for (const spelling of spellings(secret)) expect(text.includes(spelling), spelling).toBe(false)
  }
  const shown = new Set(text.match(/[\da-f]{64}/g))
  expect(signatures.filter((signature) => shown.has(signature))).toEqual([])
})
