# ab.sh label topic times -- settings
