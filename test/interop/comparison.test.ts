import * as awsSigv4Fetch from 'aws-sigv4-fetch'
import * as aws4Axios from 'aws4-axios'
import * as aws4fetch from 'aws4fetch'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compareSigners } from '../conformance/fuzz/fuzz.ts'
import { cellsOf, pageAt, pages, read, tableOf } from '../docs/pages.ts'
import { simulateOutage } from '../load/outage/outage.ts'
import { TRACE_ID } from '../support/helpers.ts'
import { clients } from './comparison/clients.ts'
import { probes } from './comparison/probes.ts'
import { measureSize } from './comparison/size.ts'

// Some probes take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const page = pageAt('docs/comparison.md')
const rows = tableOf(page, '', 'this package')
const head = cellsOf(page.text.split('\n').find((line) => line.startsWith('| | this package |')) ?? '')
const { packages }: { packages: Record<string, { version: string }> } = JSON.parse(read('package-lock.json'))
const versionOf = (name: string) => packages[`node_modules/${name}`]?.version

/** The page's cell of a row and a client. The head of a column may also have the client's version. */
function cellOf(row: string, client: string): string | undefined {
  const column = head.findIndex((cell) => cell.replace(/ [\d.]+$/, '') === client)
  return rows.find(([name]) => name === row)?.[column]
}

beforeAll(() => {
  vi.stubEnv('_X_AMZN_TRACE_ID', TRACE_ID)
  vi.stubEnv('AWS_REGION', undefined)
})
afterAll(() => {
  vi.unstubAllEnvs()
})

describe.concurrent.each(Object.entries(probes))('%s', (row, probe) => {
  it.each(Object.entries(clients))('%s', async (client, create) => {
    expect(await probe(create)).toBe(cellOf(row, client))
  })
})

describe('loaded at start, minified', () => {
  it.each(Object.keys(clients))('%s', async (client) => {
    const stated = Number(/^(\d+) KB$/.exec(cellOf('loaded at start, minified', client) ?? '')?.[1])
    const measured = (await measureSize(client)) / 1000
    expect(Math.abs(measured - stated), `${measured.toFixed(1)} KB`).toBeLessThan(Math.max(1, stated * 0.05))
  })
})

it('the other packages export a signer, and no circuit breaker, mocks or gateway', () => {
  const exported = [aws4fetch, awsSigv4Fetch, aws4Axios].flatMap((peer) => Object.keys(peer))
  expect([...new Set(exported)].toSorted()).toEqual([
    'AwsClient',
    'AwsV4Signer',
    'aws4Interceptor',
    'createSignedFetcher',
    'default',
    'getAuthErrorMessage',
    // The older name of `aws4Interceptor`.
    'interceptor',
  ])
})

it('the page on signing lists the odd URLs with which requests of each signer are rejected', async () => {
  const listed = tableOf(pageAt('docs/signing.md'), 'signer', 'rejected').map(([signer = '', count, urls = '']) => {
    const odd = [...urls.matchAll(/`([^`]+)`/g)].map(([, url]) => url)
    expect(String(odd.length)).toBe(count)
    return [signer.replace(/ [\d.]+(, .*)?$/, ''), odd]
  })
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(await compareSigners()))
})

it('the page on retries has the measured number of requests in an outage', async () => {
  const young = await simulateOutage({ environments: 1, calls: 10 })
  const old = await simulateOutage({ environments: 1, calls: 100 })
  const stated = tableOf(pageAt('docs/retries.md'), 'client', 'GET, 10 calls each').map(([client = '', ...cells]) => [
    client.replace(/ [\d.]+$/, ''),
    ...cells,
  ])
  const measured = [...young].map(([client, { GET, POST }]) => {
    const cells = [GET, old.get(client)?.GET, POST, old.get(client)?.POST]
    return [client, ...cells.map((cell) => cell?.toFixed(2))]
  })
  expect(stated).toEqual(measured)
})

it('every page names the installed versions of the compared packages', () => {
  for (const name of ['aws4fetch', 'aws-sigv4-fetch', 'aws4-axios'])
    expect(head).toContain(`${name} ${versionOf(name)}`)
  for (const { text } of pages) {
    // The benches write the versions that they measured.
    const own = text.replace(/<!-- bench -->[\s\S]*<!-- \/bench -->/, '')
    for (const [, name = '', version] of own.matchAll(/(@?[a-z][\w/-]*)`? (\d+\.\d+\.\d+)/g)) {
      const installed = versionOf(name)
      if (installed !== undefined) expect(`${name} ${version}`).toBe(`${name} ${installed}`)
    }
  }
})

it('each row of the page has a probe, except the last two', () => {
  expect(rows.map(([name]) => name).slice(0, -2)).toEqual(Object.keys(probes))
})
