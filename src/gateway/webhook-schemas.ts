import { z } from 'zod'

export const NewWebhook = z
  .strictObject({
    license_key: z
      .string({ error: 'invalid request body' })
      .max(256, 'license_key must have at most 256 characters')
      .optional()
      .describe('The licence key; the header X-License-Key does as well.'),
    url: z
      .string({
        error: (issue) => (issue.input === undefined ? 'url is required' : 'url must be a string'),
      })
      .describe('`https://` on port 443 or 8443, at most 2048 characters, without user name and fragment.'),
  })
  .meta({ id: 'NewWebhook' })

export const CreatedWebhook = z
  .object({
    id: z.uuid(),
    url: z.string().describe('In its normal form.'),
    secret: z.string().describe('Signs what is sent. Shown only here.'),
  })
  .meta({ id: 'CreatedWebhook' })

export const RotatedSecret = z
  .object({
    id: z.uuid(),
    secret: z.string().describe('Signs from now on. Shown only here.'),
    previous_secret_valid_until: z.string().describe('Until then the previous secret signs as well.'),
  })
  .meta({ id: 'RotatedWebhookSecret' })

export const Delivery = z
  .object({
    event_id: z.uuid(),
    type: z.string().describe('What happened, such as `token.invalidated`.'),
    state: z.enum(['pending', 'delivered', 'given_up']),
    attempts: z.int(),
    created_at: z.string(),
    next_attempt_at: z.string().optional().describe('Only while it is pending.'),
    delivered_at: z.string().optional(),
    given_up_at: z.string().optional(),
    last_status: z.int().optional().describe('HTTP status of the last answer.'),
    last_error: z
      .string()
      .optional()
      .describe(
        'Why there was no answer: `address_refused`, `dns_failed`, `connection_refused`, `tls_failed`, `timeout`, `connection_failed` or `secret_unreadable`.',
      ),
  })
  .meta({ id: 'WebhookDelivery' })

export const WebhookList = z.object({
  webhooks: z.array(
    z
      .object({
        id: z.uuid(),
        url: z.string(),
        created_at: z.string(),
        pending: z.int().describe('Events that are still to be delivered.'),
        last_delivery: Delivery.optional().describe('The newest event of which a delivery was tried.'),
      })
      .meta({ id: 'Webhook' }),
  ),
})

export const DeliveryPage = z.object({
  deliveries: z.array(Delivery).describe('Newest first.'),
  next_cursor: z.string().optional().describe('For the next page, if there is one.'),
})

export const DeliveryQuery = z.object({
  limit: z.coerce
    .number('limit must be a whole number from 1 to 100')
    .int('limit must be a whole number from 1 to 100')
    .min(1, 'limit must be a whole number from 1 to 100')
    .max(100, 'limit must be a whole number from 1 to 100')
    .default(50)
    .describe('From 1 to 100.'),
  cursor: z
    .uuid('cursor must be the next_cursor of an earlier answer')
    .optional()
    .describe('The `next_cursor` of the page before.'),
})

export const WebhookParams = z.object({ id: z.uuid('id must be a UUID') })
export const DeliveryParams = WebhookParams.extend({ event_id: z.uuid('event_id must be a UUID') })
