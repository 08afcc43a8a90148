"""What answers are made of, as types: the code is checked against them, and ``/docs`` shows them."""
