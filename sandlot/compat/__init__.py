"""Drop-ins for predecessors: the same names, calls and answers, without their code."""
