/** Measures how costs grow with concurrency, with the size of a body, and with the number of services. */
import type { Line, Panel } from './chart.ts'
import { type Contender, measure, type Plan } from './rounds.ts'

type Points = [x: number, y: number][]

export interface Growth {
  readonly panels: readonly Panel[]
  /** For each line of the chart: cost, contender, first and last value, and the power at the end. */
  readonly rows: readonly (readonly string[])[]
}

const CONCURRENCY = [1, 3, 10, 30, 100, 300, 1_000, 2_000]
const SIZES = [0, 1e3, 1e4, 1e5, 1e6, 3e6, 1e7]
const SERVICES = [1, 3, 10, 30, 100, 200, 500]

export async function measureGrowth(): Promise<Growth> {
  const concurrency = await plot(
    'calls at once',
    CONCURRENCY,
    () => ({
      client: { kind: 'call', client: 'client' },
      'fetch, unsigned': { kind: 'call', client: 'fetch, unsigned' },
    }),
    (concurrency) => ({
      rounds: 6,
      concurrency,
      // A multiple of the concurrency, so that each lane makes the same number of calls.
      count: Math.ceil(1_000 / concurrency) * concurrency,
      warmUp: Math.ceil(3_000 / concurrency) * concurrency,
    }),
  )
  const sizes = await plot(
    'size of the body',
    SIZES,
    (size) => ({
      client: { kind: 'call', client: 'client', size },
      'fetch, unsigned': { kind: 'call', client: 'fetch, unsigned', size },
    }),
    (size) => {
      const count = size <= 1e4 ? 300 : size <= 1e5 ? 100 : size <= 1e6 ? 20 : 5
      return { rounds: 8, count, warmUp: 5 * count }
    },
  )
  const invocations = await plot(
    'services, invocation',
    SERVICES,
    (services) => ({
      'all clients read': { kind: 'invocation', services },
    }),
    (services) => ({ rounds: 8, count: services > 50 ? 500 : 3_000, warmUp: services > 50 ? 1_500 : 10_000 }),
  )
  const setups = await plot(
    'services, setup',
    SERVICES,
    (services) => ({ 'set up once': { kind: 'setup', services } }),
    (services) => ({ rounds: 8, count: Math.ceil(1_000 / services), warmUp: Math.ceil(3_000 / services) }),
  )
  const panels = [
    { title: 'CPU per call (us)', xLabel: 'calls at once', lines: linesOf(concurrency) },
    { title: 'CPU per call (us)', xLabel: 'bytes of the body', lines: linesOf(sizes) },
    { title: 'CPU per invocation (us)', xLabel: 'services', lines: linesOf(invocations) },
  ]
  const rows = [
    ...rowsOf('a call, by calls at once', concurrency),
    ...rowsOf('a call, by bytes of the body', sizes),
    ...rowsOf('an invocation, by services', invocations),
    ...rowsOf('setting up, by services', setups),
  ]
  return { panels, rows }
}

/** Measures the CPU time of each contender for each value of `xs`. */
async function plot<Name extends string>(
  title: string,
  xs: readonly number[],
  contendersAt: (x: number) => Record<Name, Contender>,
  planAt: (x: number) => Plan,
): Promise<Record<Name, Points>> {
  const lines = {} as Record<Name, Points>
  for (const x of xs) {
    const contenders = contendersAt(x)
    const measured = await measure(`growth, ${title}: ${x}`, contenders, planAt(x))
    for (const name of Object.keys(contenders) as Name[]) {
      lines[name] ??= []
      lines[name].push([x, measured.of(name, 'cpu')])
    }
  }
  return lines
}

function linesOf(lines: Readonly<Record<string, Points>>): Line[] {
  return Object.entries(lines).map(([label, points], index) => ({
    label,
    points,
    tone: index === 0 ? 'ours' : 'unsigned',
  }))
}

function rowsOf(what: string, lines: Readonly<Record<string, Points>>): string[][] {
  return Object.entries(lines).map(([name, points]) => {
    const [first, last] = [points[0], points.at(-1)] as [Points[number], Points[number]]
    return [what, name, ...[first, last].map(([x, y]) => `${count(y)} us at ${count(x)}`), power(points).toFixed(2)]
  })
}

function count(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

/** Slope over the last power of ten: 0 is flat, 1 is linear. */
function power(points: Points): number {
  const [x2, y2] = points.at(-1) as Points[number]
  const [x1, y1] = points.findLast(([x]) => x <= x2 / 10) as Points[number]
  return Math.log(y2 / y1) / Math.log(x2 / x1)
}
