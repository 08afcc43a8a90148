"""REST: one blueprint a noun, each built on the doors it needs."""
