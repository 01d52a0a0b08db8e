import { mockEnv } from 'middy-signed-services/testing'

Object.assign(process.env, mockEnv(['ai', 'integration']))
