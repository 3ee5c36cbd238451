"""Derivatives as linear operators: the Jacobian, the Hessian, and what is composed of them."""

from undertow.linear.curved import gauss_newton, hessian
from undertow.linear.jacobian import Linearization, linearize
from undertow.linear.operator import Operator
from undertow.linear.space import Space

__all__ = ["Linearization", "Operator", "Space", "gauss_newton", "hessian", "linearize"]
