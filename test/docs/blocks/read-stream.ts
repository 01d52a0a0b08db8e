import { createServices } from 'middy-signed-services'
import { reply } from 'middy-signed-services/testing'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const route = () => reply(200, events(), { 'content-type': 'text/event-stream' })
async function* events() {
  yield 'data: first\n\n'
  yield 'data: last\n\n'
}
await useGateway({ ai: { 'GET /generate/stream': route } })

// #region

import type { ServiceClient } from 'middy-signed-services'

/** Hands each piece of the text to `show` as it arrives. */
export async function readStream(ai: ServiceClient, show: (text: string) => void): Promise<void> {
  const { body } = await ai.get('generate/stream', { timeout: false })
  if (body === null) return
  for await (const text of body.pipeThrough(new TextDecoderStream())) show(text)
}

// #endregion

const { ai } = createServices({ services: ['ai'] })
const pieces: string[] = []
await readStream(ai, (text) => pieces.push(text))
expect(pieces.join('')).toBe('data: first\n\ndata: last\n\n')
