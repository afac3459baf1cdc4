"""One module a command: its options, the public function it calls, and how it presents it."""
