"""From alerts to messages: inhibit, silence, time, group, dedup; the outbox delivers what comes out."""
