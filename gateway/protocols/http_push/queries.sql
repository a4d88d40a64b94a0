-- attributes: what is registered of a device.
SELECT attributes FROM object_now WHERE object_id = %s

-- fellows: which of these devices are registered with an application.
SELECT attributes->>'external_id' AS external_id FROM object_now
WHERE class = 'device' AND key = ANY(%(keys)s) AND attributes->>'application_id' = %(application)s
