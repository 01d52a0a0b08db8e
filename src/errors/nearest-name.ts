/** The name most similar to a mistyped one: it differs in few letters, or it starts with the same four letters. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const wanted = given.toLowerCase()
  const ranked = names
    .map((name) => ({ name, distance: distanceOf(wanted, name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const [nearest] = ranked
  if (nearest !== undefined && nearest.distance <= Math.max(1, Math.floor(given.length / 3))) return nearest.name
  return names.find((name) => wanted.length > 3 && name.toLowerCase().startsWith(wanted.slice(0, 4)))
}

/** Insertions, deletions and substitutions that turn one text into the other (Levenshtein distance). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, substitution)
    }
    row = next
  }
  return row[b.length] as number
}
