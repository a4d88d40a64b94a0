-- What a device measures, and until when its last relation lasted: ten times as fast as by the index of periods.
CREATE INDEX device_point_device ON device_point (device_id, valid_to);
