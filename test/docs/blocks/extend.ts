import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /drafts/:id': { title: 'Title' } } })
const log = vi.spyOn(console, 'log').mockImplementation(() => {})

// #region

import { createServices } from 'middy-signed-services'

const { ai } = createServices({ services: ['ai'] })
const drafts = ai.extend({ headers: { 'x-team': 'content' }, timeout: 2_000 })

console.log(drafts.name, await drafts.get('drafts/d-1').json())

// #endregion

expect(log).toHaveBeenCalledExactlyOnceWith('ai', { title: 'Title' })
expect(gateway.requests[0]?.headers).toMatchObject({ 'x-team': 'content' })
log.mockRestore()
