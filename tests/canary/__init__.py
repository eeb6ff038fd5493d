# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Canaries: values that nobody else knows in the place of secrets, and what finds them again wherever they must not be."""
