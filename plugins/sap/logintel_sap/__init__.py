"""The sap source: the log files of SAP's ABAP, Java and HANA systems, gateway, SAProuter and ICM."""
