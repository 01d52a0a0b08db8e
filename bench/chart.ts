/** Charts as SVG, in colours that are legible on GitHub's light and dark pages. */

export type Tone = 'ours' | 'unsigned' | 'peer'

export interface Bar {
  readonly label: string
  readonly value: number
  readonly tone: Tone
}

export interface Line {
  readonly label: string
  readonly tone: Tone
  /** Both axes are logarithmic. An x of 0 comes first. */
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Panel {
  readonly title: string
  readonly xLabel: string
  readonly lines: readonly Line[]
}

const TEXT = '#7d8590'
const GRID = '#7d859040'
const TONES: Readonly<Record<Tone, string>> = { ours: '#2f81f7', unsigned: '#8c959f', peer: '#bf8700' }

const WIDTH = 800

export function barChart(
  title: string,
  unit: string,
  bars: readonly Bar[],
  legend: Readonly<Record<Tone, string>>,
): string {
  const left = 250
  const top = 68
  const step = 30
  const longest = Math.max(...bars.map(({ value }) => value))
  const scale = (WIDTH - left - 90) / longest
  const rows = bars.map(({ label, value, tone }, index) => {
    const y = top + index * step
    const width = value * scale
    return [
      text(left - 10, y + 15, label, { anchor: 'end', isBold: tone === 'ours' }),
      `<rect x="${left}" y="${y}" width="${round(width)}" height="20" rx="3" fill="${TONES[tone]}"/>`,
      text(left + width + 8, y + 15, `${format(value)} ${unit}`, { isBold: tone === 'ours' }),
    ]
  })
  const keys = Object.entries(legend).flatMap(([tone, label], index) => drawKey(index * 180, 44, tone as Tone, label))
  return svg(title, top + bars.length * step + 8, [text(0, 20, title, { isBold: true }), ...keys, ...rows.flat()])
}

/** Draws panels side by side, each with its own axes. */
export function lineChart(title: string, panels: readonly Panel[]): string {
  const gap = 24
  const width = (WIDTH - gap * (panels.length - 1)) / panels.length
  return svg(title, 300, [
    text(0, 20, title, { isBold: true }),
    ...panels.flatMap((panel, index) => drawPanel(panel, index * (width + gap), width)),
  ])
}

function drawPanel({ title, xLabel, lines }: Panel, x0: number, width: number): string[] {
  const [left, right, top, bottom] = [x0 + 44, x0 + width - 8, 96, 250]
  const points = lines.flatMap((line) => line.points)
  const xs = points.map(([x]) => x).filter((x) => x > 0)
  const smallest = Math.min(...xs)
  const hasZero = points.some(([x]) => x === 0)
  // Zero has no logarithm, so it is drawn one power of ten before the next x.
  const position = (x: number) => Math.log10(x === 0 ? smallest / 10 : x)
  const [xMin, xMax] = [position(hasZero ? 0 : smallest), position(Math.max(...xs))]
  const ys = points.map(([, y]) => Math.log10(y))
  const [yMin, yMax] = [Math.floor(Math.min(...ys)), Math.ceil(Math.max(...ys))]
  const toX = (x: number) => left + ((position(x) - xMin) / (xMax - xMin)) * (right - left)
  const toY = (y: number) => bottom - ((Math.log10(y) - yMin) / (yMax - yMin)) * (bottom - top)

  const yGrid = powersOfTen(yMin, yMax).flatMap((y) => [
    `<line x1="${left}" x2="${round(right)}" y1="${round(toY(y))}" y2="${round(toY(y))}" stroke="${GRID}"/>`,
    text(left - 6, toY(y) + 4, short(y), { anchor: 'end', size: 11 }),
  ])
  const xTicks = [...(hasZero ? [0] : []), ...powersOfTen(Math.ceil(position(smallest)), Math.floor(xMax))]
  const drawn = lines.flatMap(({ label, tone, points }, index) => [
    `<polyline fill="none" stroke="${TONES[tone]}" stroke-width="2" points="${points
      .map(([x, y]) => `${round(toX(x))},${round(toY(y))}`)
      .join(' ')}"/>`,
    ...points.map(([x, y]) => `<circle cx="${round(toX(x))}" cy="${round(toY(y))}" r="2.5" fill="${TONES[tone]}"/>`),
    ...drawKey(x0 + (index * width) / lines.length, 76, tone, label),
  ])
  return [
    text(x0, 52, title),
    ...yGrid,
    ...xTicks.map((x) => text(toX(x), bottom + 18, short(x), { anchor: 'middle', size: 11 })),
    text((left + right) / 2, bottom + 38, xLabel, { anchor: 'middle', size: 11 }),
    ...drawn,
  ]
}

function drawKey(x: number, y: number, tone: Tone, label: string): string[] {
  return [
    `<rect x="${round(x)}" y="${y - 9}" width="10" height="10" rx="2" fill="${TONES[tone]}"/>`,
    text(x + 14, y, label, { size: 11 }),
  ]
}

function powersOfTen(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index))
}

/** Formats 10000 as `10K`. */
function short(value: number): string {
  return value.toLocaleString('en-US', { notation: 'compact', maximumSignificantDigits: 3 })
}

function format(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

interface TextStyle {
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly isBold?: boolean
  readonly size?: number
}

function text(x: number, y: number, content: string, { anchor = 'start', isBold, size = 13 }: TextStyle = {}): string {
  const weight = isBold ? ' font-weight="600"' : ''
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}"${weight}>${escapeXml(content)}</text>`
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function svg(title: string, height: number, elements: readonly string[]): string {
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" role="img" font-family="system-ui, sans-serif" fill="${TEXT}">`
  return [open, `<title>${escapeXml(title)}</title>`, ...elements, '</svg>', ''].join('\n')
}
