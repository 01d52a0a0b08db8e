import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: { 'GET /jobs': [] } })
const info = vi.spyOn(console, 'info').mockImplementation(() => {})
const failed = vi.spyOn(console, 'error').mockImplementation(() => {})

// #region

import { createServices } from 'middy-signed-services'

export const { ai } = createServices({
  services: ['ai'],
  logger: { info: () => {}, warn: console.warn, error: console.error },
})

// #endregion

await ai.get('jobs')
await ai.get('nothing').catch(() => {})
expect(info).not.toHaveBeenCalled()
expect(failed).toHaveBeenCalledTimes(1)
info.mockRestore()
failed.mockRestore()
