-- What years of use leave in a FlowPBX gateway.
INSERT INTO licenses (id, key, tier, max_extensions, expires_at, created_at) VALUES
  (1, 'FPBX-8842-ALPHA-1177', 'standard', 25, NULL, '2025-03-01T10:00:00.123456Z'),
  (2, 'FPBX-9911-BRAVO-2288', 'pro', 250, now() + interval '200 days', '2025-04-01T10:00:00Z'),
  (3, 'FPBX-7755-ENDED-3399', 'free', 5, now() - interval '90 days', '2024-01-01T00:00:00Z'),
  (4, 'short', 'Größer & besser 🚀', 0, 'infinity', '2025-05-01T00:00:00Z'),
  (5, '', 'free', 5, NULL, now()),
  (6, '   ', 'free', 5, NULL, now()),
  (7, 'FPBX-6666-MINUS-0001', 'free', -3, NULL, now()),
  (8, repeat('k', 257), 'free', 5, NULL, now()),
  (9, '  FPBX-8842-ALPHA-1177 ', 'free', 5, NULL, now()),
  (10, 'FPBX-1010-NEVER-5555', 'free', 5, '-infinity', now()),
  (11, 'FPBX-1111-ZEROT-6666', 'free', 5, '0001-01-01T00:00:00Z', now()),
  (12, 'FPBX-1212-FARAW-7777', 'free', 5, '20000-01-01T00:00:00Z', now()),
  (13, '11111111-2222-4333-8444-555555555555', '', 2147483647, NULL, now());

INSERT INTO installations (id, license_id, instance_id, hostname, version, activated_at, last_seen_at) VALUES
  -- The same machine, activated at each of its starts; the second was seen last.
  (1, 1, 'aaaaaaaa-0000-4000-8000-000000000001', 'pbx1', '1.0.0', now() - interval '9 days', now() - interval '9 days'),
  (2, 1, 'aaaaaaaa-0000-4000-8000-000000000002', 'PBX1', '1.1.0', now() - interval '5 days', now() - interval '1 day'),
  (3, 1, 'aaaaaaaa-0000-4000-8000-000000000003', 'Pbx1', '1.0.5', now() - interval '3 days', now() - interval '2 days'),
  (4, 1, 'AAAAAAAA-0000-4000-8000-000000000004', 'pbx2', NULL, now() - interval '3 days', now() - interval '3 days'),
  (5, 1, 'aaaaaaaa-0000-4000-8000-000000000004', 'pbx3', '1', now(), now()),
  (6, 1, 'not-a-uuid', 'ÜBER-pbx', '1', now(), NULL),
  (7, 1, 'not-a-uuid-either', 'über-pbx', repeat('9', 300), NULL, now() - interval '1 hour'),
  (8, 1, NULL, 'nameless', '1', now(), now()),
  (9, 1, '', '', '1', now(), now()),
  (10, 1, 'aaaaaaaa-0000-4000-8000-000000000010', NULL, '1', now(), now()),
  (11, 1, 'aaaaaaaa-0000-4000-8000-000000000011', repeat('h', 256), '1', now(), now()),
  (12, 1, 'aaaaaaaa-0000-4000-8000-000000000012', 'timeless', '1', NULL, 'infinity'),
  (13, 7, 'aaaaaaaa-0000-4000-8000-000000000013', 'orphan', '1', now(), now()),
  (14, NULL, 'aaaaaaaa-0000-4000-8000-000000000014', 'nobody', '1', now(), now()),
  (15, 2, 'aaaaaaaa-0000-4000-8000-000000000015', 'pbx1', '2.0', now(), now());

INSERT INTO push_logs (id, license_key, platform, call_id, success, error, created_at) VALUES
  (1, 'FPBX-8842-ALPHA-1177', 'fcm', 'call-1@10.0.0.5', true, '', now() - interval '1 hour'),
  (2, 'FPBX-8842-ALPHA-1177', 'apns', 'call-2@10.0.0.5', false,
    'apns: Post "https://api.push.apple.com/3/device/6f1c0de5aa0b4c3d9e8f7a6b5c4d3e2f6f1c0de5aa0b4c3d9e8f7a6b5c4d3e2f": 410 Unregistered',
    now() - interval '2 hours'),
  (3, 'FPBX-9911-BRAVO-2288', 'fcm', repeat('c', 5000), NULL,
    'license FPBX-9911-BRAVO-2288: token dQw4w9WgXcQ:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx_0123456789abcdefghij not registered',
    now() - interval '2 days'),
  (4, 'FPBX-9911-BRAVO-2288', 'fcm', NULL, true, NULL, now() - interval '29 days'),
  (5, 'FPBX-9911-BRAVO-2288', 'fcm', 'old@x', true, '', now() - interval '31 days'),
  (6, 'FPBX-9911-BRAVO-2288', 'fcm', 'older@x', true, '', '2020-01-01T00:00:00Z'),
  (7, 'FPBX-9911-BRAVO-2288', 'fcm', 'oldest@x', true, '', '-infinity'),
  (8, 'FPBX-9911-BRAVO-2288', 'windows', 'w@x', true, '', now()),
  (9, 'FPBX-9911-BRAVO-2288', NULL, 'n@x', true, '', now()),
  (10, 'no-such-key', 'fcm', 'o@x', true, '', now()),
  (11, NULL, 'fcm', 'o@x', true, '', now()),
  (12, 'FPBX-6666-MINUS-0001', 'fcm', 'm@x', true, '', now()),
  (13, 'FPBX-9911-BRAVO-2288', 'fcm', 't@x', true, '', NULL),
  (14, 'FPBX-9911-BRAVO-2288', 'fcm', 'f@x', true, '', now() + interval '3 days'),
  (15, 'FPBX-9911-BRAVO-2288', 'fcm', 'i@x', true, '', 'infinity'),
  (16, 'FPBX-8842-ALPHA-1177', 'fcm', 'call-1@10.0.0.5', true, '', now() - interval '1 hour');

-- The next rows get the numbers after these.
SELECT setval(pg_get_serial_sequence(name, 'id'), 100) FROM unnest(ARRAY['licenses', 'installations', 'push_logs']) AS name;
